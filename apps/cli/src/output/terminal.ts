/** The two streams of the program: data to stdout, everything said to a person to stderr. */
export interface Terminal {
  data(text: string): void;
  say(text: string): void;
  /** Messages go to a person at a terminal. */
  readonly isInteractive: boolean;
  readonly columns: number;
}

export const processTerminal: Terminal = {
  data: (text) => void process.stdout.write(text.endsWith('\n') ? text : `${text}\n`),
  say: (text) => void process.stderr.write(`${text}\n`),
  get isInteractive() {
    return process.stderr.isTTY === true;
  },
  get columns() {
    return process.stderr.columns || 80;
  },
};
