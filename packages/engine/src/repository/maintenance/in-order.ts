/**
 * Runs tasks, `width` at a time, and yields what they answer in their order; so that reading goes on while the last
 * answer is worked on. The first failure ends it; tasks on their way then are waited for, so that nothing runs on.
 */
export async function* inOrder<T>(tasks: Iterable<() => Promise<T>>, width: number): AsyncGenerator<T> {
  const running: Promise<T>[] = [];
  try {
    for (const task of tasks) {
      const work = task();
      work.catch(() => {});
      running.push(work);
      if (running.length >= width) yield await (running.shift() as Promise<T>);
    }
    for (let work = running.shift(); work; work = running.shift()) yield await work;
  } finally {
    await Promise.allSettled(running);
  }
}
