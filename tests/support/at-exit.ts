/** What is ended and removed with this process. One listener for all: a file of tests may start dozens of servers. */
const steps = new Set<() => void>();

process.on('exit', () => {
  for (const step of steps) {
    try {
      step();
    } catch {
      // The others must end as well.
    }
  }
});

/** Answers how to take it back. */
export function atExit(step: () => void): () => void {
  steps.add(step);
  return () => void steps.delete(step);
}
