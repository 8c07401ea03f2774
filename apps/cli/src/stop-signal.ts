/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function untilStopSignal(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    let isStopping = false;
    const onSignal = (signal: NodeJS.Signals) => {
      if (isStopping) process.exit(signal === 'SIGINT' ? 130 : 143);
      isStopping = true;
      resolve(signal);
    };
    process.on('SIGINT', onSignal);
    process.on('SIGTERM', onSignal);
  });
}

/** Time for the last log lines to leave the process. */
const lingerMs = 500;

/**
 * Ends the process soon even if the disk it worked on is stuck: a file system call that never returns keeps it alive, and
 * also `process.exit`, which waits for it. Then it ends as if it had been killed.
 */
export function endFromStuckDisk(): void {
  setTimeout(() => {
    if (process.getActiveResourcesInfo().some((name) => name.startsWith('FSReq'))) process.kill(process.pid, 'SIGKILL');
    process.exit();
  }, lingerMs).unref();
}

/** Ends the process soon even if some timer would keep it; for commands whose work is done and whose output is a log. */
export function endSoon(): void {
  setTimeout(() => process.exit(), lingerMs).unref();
}
