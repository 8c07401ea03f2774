/** What the repository is measured by: our figures as shares of each stock restic's, and whether each holds. */
import type { Corpus } from './corpora.ts';
import { median, type ProcessMeasurement } from './measure.ts';
import { ours } from './repository-programs.ts';
import { formatTable } from './results.ts';

export const phases = ['first', 'unchanged', 'changed', 'restore'] as const;
type Phase = (typeof phases)[number];

export type PhaseFigures = Readonly<Record<Phase, ProcessMeasurement[]>> & { readonly storedBytes: number[] };

/** By name of the corpus; figures by name of the program. */
export type Results = Map<string, { readonly corpus: Corpus; readonly figures: ReadonlyMap<string, PhaseFigures> }>;

type Figure = (figures: PhaseFigures) => number;

interface Target {
  readonly what: string;
  readonly corpora: readonly string[];
  readonly figure: Figure;
  /** At most this share of the other program's figure; or, absolute, at most this. */
  readonly limit: number;
  readonly against: 'restic' | 'borg' | 'nothing';
}

const cpu =
  (phase: Phase): Figure =>
  (figures) =>
    median(figures[phase].map((one) => one.cpuSeconds));
const wall =
  (phase: Phase): Figure =>
  (figures) =>
    median(figures[phase].map((one) => one.wallSeconds));
const peak: Figure = (figures) =>
  Math.max(
    ...(['first', 'unchanged', 'changed'] as const).flatMap((phase) => figures[phase].map((one) => one.peakMegabytes)),
  );
const size: Figure = (figures) => median(figures.storedBytes);

const all = ['small', 'large', 'sql'];
const targets: readonly Target[] = [
  { what: 'first backup, CPU', corpora: all, figure: cpu('first'), limit: 0.7, against: 'restic' },
  { what: 'first backup, wall', corpora: all, figure: wall('first'), limit: 0.7, against: 'restic' },
  { what: 'first backup, wall', corpora: all, figure: wall('first'), limit: 1, against: 'borg' },
  {
    what: 'unchanged, CPU',
    corpora: ['small'],
    figure: cpu('unchanged'),
    limit: 0.35,
    against: 'restic',
  },
  {
    what: 'unchanged, CPU',
    corpora: ['large', 'sql'],
    figure: cpu('unchanged'),
    limit: 1,
    against: 'restic',
  },
  { what: 'restore, CPU', corpora: ['small'], figure: cpu('restore'), limit: 0.6, against: 'restic' },
  {
    what: 'restore, CPU',
    corpora: ['large', 'sql'],
    figure: cpu('restore'),
    limit: 0.8,
    against: 'restic',
  },
  { what: 'size', corpora: all, figure: size, limit: 1.01, against: 'restic' },
  { what: 'peak memory of a backup, MB', corpora: all, figure: peak, limit: 300, against: 'nothing' },
];

/** A table of every target on every corpus that was run, against every program of its kind that ran. */
export function judgeTargets(results: Results): string {
  const rows = targets.flatMap((target) =>
    target.corpora.flatMap((name) => {
      const result = results.get(name);
      const own = result?.figures.get(ours.name);
      if (!result || !own) return [];
      return [...judge(target, own, result.figures)].map((row) => [
        target.what,
        result.corpus.name,
        row.against,
        `≤ ${target.limit}`,
        ...row.verdict,
      ]);
    }),
  );
  return formatTable(['target', 'data', 'against', 'limit', 'measured', ''], rows, 3);
}

function* judge(target: Target, own: PhaseFigures, figures: ReadonlyMap<string, PhaseFigures>) {
  const { figure, limit, against } = target;
  if (against === 'nothing') {
    yield { against: '', verdict: verdictOf(figure(own), limit, 0) };
    return;
  }
  for (const [name, other] of figures) {
    if (name.startsWith(`${against} `))
      yield { against: name, verdict: verdictOf(figure(own) / figure(other), limit, 2) };
  }
}

/** What was measured, and whether it holds. */
export function verdictOf(value: number, limit: number, digits: number): string[] {
  return [value.toFixed(digits), value <= limit ? 'holds' : '**missed**'];
}
