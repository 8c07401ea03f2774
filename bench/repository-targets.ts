/** What the repository is measured by: our figures as shares of stock restic's, and whether each holds. */
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
  /** At most this share of the first program's figure; or, absolute, at most this. */
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
  { what: 'first backup, CPU against restic', corpora: all, figure: cpu('first'), limit: 0.7, against: 'restic' },
  { what: 'first backup, wall against restic', corpora: all, figure: wall('first'), limit: 0.7, against: 'restic' },
  { what: 'first backup, wall against borg', corpora: all, figure: wall('first'), limit: 1, against: 'borg' },
  {
    what: 'unchanged, CPU against restic',
    corpora: ['small'],
    figure: cpu('unchanged'),
    limit: 0.35,
    against: 'restic',
  },
  {
    what: 'unchanged, CPU against restic',
    corpora: ['large', 'sql'],
    figure: cpu('unchanged'),
    limit: 1,
    against: 'restic',
  },
  { what: 'restore, CPU against restic', corpora: ['small'], figure: cpu('restore'), limit: 0.6, against: 'restic' },
  {
    what: 'restore, CPU against restic',
    corpora: ['large', 'sql'],
    figure: cpu('restore'),
    limit: 0.8,
    against: 'restic',
  },
  { what: 'size against restic', corpora: all, figure: size, limit: 1.01, against: 'restic' },
  { what: 'peak memory of a backup, MB', corpora: all, figure: peak, limit: 300, against: 'nothing' },
];

/** A table of every target on every corpus that was run. `reference`: the restic that ratios refer to. */
export function judgeTargets(results: Results, reference: string): string {
  const rows = targets.flatMap((target) =>
    target.corpora.flatMap((name) => {
      const result = results.get(name);
      const own = result?.figures.get(ours.name);
      const row = result && own && judge(target, own, findOther(target, result.figures, reference));
      return row ? [[target.what, result.corpus.name, `≤ ${target.limit}`, ...row]] : [];
    }),
  );
  return formatTable(['target', 'data', 'limit', 'measured', ''], rows, 2);
}

/** Null: there is nobody to compare with. */
function judge(target: Target, own: PhaseFigures, other: PhaseFigures | undefined): string[] | null {
  if (target.against !== 'nothing' && !other) return null;
  const value = target.figure(own) / (other ? target.figure(other) : 1);
  return [value.toFixed(other ? 2 : 0), value <= target.limit ? 'holds' : '**missed**'];
}

function findOther(
  target: Target,
  figures: ReadonlyMap<string, PhaseFigures>,
  reference: string,
): PhaseFigures | undefined {
  if (target.against === 'restic') return figures.get(reference);
  const borg = [...figures.keys()].find((name) => name.startsWith('borg'));
  return target.against === 'borg' && borg ? figures.get(borg) : undefined;
}
