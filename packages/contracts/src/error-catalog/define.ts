/** One catalogue entry. `message` and `hint` may hold `{name}` placeholders filled from the error's params. */
export interface ErrorDefinition {
  /** HTTP status of the answer. */
  readonly status: number;
  /** Exit code of the command line program (see docs/cli.md). */
  readonly exitCode: number;
  /** True when trying the same call again, unchanged, may succeed. */
  readonly retryable: boolean;
  readonly message: string;
  /** What the reader should do next. */
  readonly hint: string;
}

/** One entry. */
export const define = (
  status: number,
  exitCode: number,
  message: string,
  hint: string,
  retryable = false,
): ErrorDefinition => ({ status, exitCode, retryable, message, hint });
