/** What programs say although they end well: somebody has to hear of it, since what they made may lack something. */
import type { BackupContext } from './source.ts';

export interface ToolWarnings {
  /** Of what was read: such a run is no plain success. */
  readonly doubts: readonly string[];
  /** Of how the program was called, set up or installed: every run would be a warning for it. */
  readonly remarks: readonly string[];
}

/** How a program warns. */
export interface WarningStyle {
  /** A line that is a warning; the group is what is told of it. */
  readonly line: RegExp;
  isRemark(told: string): boolean;
}

/** At the beginning of a line, behind a time, a mark of a comment or the name of the program: names of tables are anywhere. */
const WARNING =
  /^(?:\d{4}-\S+\s+)?((?:-- |[\w.-]+: )?\[?(?:warning|error|got error|failed|can(?:no|'|’)t|could(?:n't| not)|skipping|the collection .* appears)\b.*)/i;
const REMARK =
  /deprecated|insecure|unsupported URI parameter|directly in a connection string|on the command line|config file|directive|\boption '/i;
/** A remark is never of a thing that was to be saved, whatever that is called. */
const OF_DATA =
  /^(?!(?:-- |[\w.-]+: )?\[?warning\b)|\b(?:table|collection|couldn(?:'t)?|could not|can(?:'t|not)|skipping)\b/i;
/** More of them would say nothing more. */
const TOLD = 50;

/** Programs of which no more is known. */
const USUAL: WarningStyle = { line: WARNING, isRemark: (told) => REMARK.test(told) && !OF_DATA.test(told) };

/** Sorts the error output of a program that has ended well; what only tells of its progress is left out. */
export function sortWarnings(messages: string, { line, isRemark }: WarningStyle = USUAL): ToolWarnings {
  const found = messages.split('\n').flatMap((text) => line.exec(text.trim())?.[1] ?? []);
  const warnings = [...new Set(found)];
  return { doubts: warnings.filter((told) => !isRemark(told)), remarks: warnings.filter((told) => isRemark(told)) };
}

/** Reports what a program that has ended well said of what it read: doubts are problems of `path`, the rest is logged. */
export function reportWarnings(
  messages: string,
  {
    path,
    context,
    style,
  }: {
    readonly path: string;
    readonly context: Pick<BackupContext, 'problem' | 'log'>;
    readonly style?: WarningStyle;
  },
): void {
  const { doubts, remarks } = sortWarnings(messages, style);
  const more = doubts.length > TOLD ? [`and ${doubts.length - TOLD} more warnings`] : [];
  for (const message of [...doubts.slice(0, TOLD), ...more]) context.problem({ path, code: 'unsupported', message });
  for (const message of remarks.slice(0, TOLD)) context.log('warn', message);
}
