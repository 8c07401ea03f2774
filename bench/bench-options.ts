/** What the command line says. */
export interface BenchOptions {
  readonly rounds: number;
  /** Size of the generated data; 1 = as in docs/benchmarks.md. */
  readonly scale: number;
  /** Place of data and repositories; default: the system's temp folder. */
  readonly workFolder: string | undefined;
  /** Replaces the section of the suite in docs/benchmarks.md. */
  readonly isWriting: boolean;
  /** Names of the corpora to run; empty: all. */
  readonly corpora: readonly string[];
}
