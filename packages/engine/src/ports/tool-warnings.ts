/** What programs say although they end well: somebody has to hear of it, since what they made may lack something. */
import type { BackupContext } from './source.ts';

export interface ToolWarnings {
  /** Of what was read: such a run is no plain success. */
  readonly doubts: readonly string[];
  /** Of how the program was called, set up or installed: every run would be a warning for it. */
  readonly remarks: readonly string[];
}

/** At the beginning of a line, behind a time, a mark of a comment or the name of the program: names of tables are anywhere. */
const WARNING =
  /^(?:\d{4}-\S+\s+)?(?:-- |[\w.-]+: )?\[?(?:warning|error|got error|failed|can(?:no|'|’)t|could(?:n't| not)|skipping|the collection .* appears)\b/i;
const REMARK =
  /deprecated|insecure|unsupported URI parameter|directly in a connection string|on the command line|config file|directive|\boption '/i;
/** A remark is never of a thing that was to be saved, whatever that is called. */
const OF_DATA =
  /^(?!(?:-- |[\w.-]+: )?\[?warning\b)|\b(?:table|collection|couldn(?:'t)?|could not|can(?:'t|not)|skipping)\b/i;
const TIME = /^\d{4}-\S+\s+/;

/** Sorts the error output of a program that has ended well; what only tells of its progress is left out. */
export function sortWarnings(messages: string): ToolWarnings {
  const lines = messages.split('\n').map((line) => line.trim());
  const warnings = [...new Set(lines.filter((line) => WARNING.test(line)).map((line) => line.replace(TIME, '')))];
  return {
    doubts: warnings.filter((line) => !isRemark(line)),
    remarks: warnings.filter(isRemark),
  };
}

const isRemark = (line: string): boolean => REMARK.test(line) && !OF_DATA.test(line);

/** Reports what a program that has ended well said of what it read: doubts are problems of `path`, the rest is logged. */
export function reportWarnings(
  messages: string,
  { path, context }: { readonly path: string; readonly context: Pick<BackupContext, 'problem' | 'log'> },
): void {
  const { doubts, remarks } = sortWarnings(messages);
  for (const message of doubts) context.problem({ path, code: 'unsupported', message });
  for (const message of remarks) context.log('warn', message);
}
