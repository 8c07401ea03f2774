/** A server of PostgreSQL that stands still, as on a machine that is frozen: its connections stay, and nobody answers. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Postgresql } from '../servers/postgresql.ts';
import { until } from './faulty-runs.ts';

/** Resolves when none of its processes runs any more; what it answers lets them go on. */
export async function freezeServer(server: Postgresql): Promise<() => void> {
  const main = Number(readFileSync(path.join(server.folder, 'data/postmaster.pid'), 'utf8').split('\n')[0]);
  const goOn = (pids: readonly number[]) => {
    for (const pid of pids) send(pid, 'SIGCONT');
  };
  send(main, 'SIGSTOP');
  try {
    // From then on it splits off no others.
    await until('the server to stand still', () => isStopped(main));
    const all = [main, ...childrenOf(main)];
    for (const pid of all) send(pid, 'SIGSTOP');
    await until('its processes to stand still', () => all.every(isStopped));
    return () => goOn(all);
  } catch (error) {
    goOn([main, ...childrenOf(main)]);
    throw error;
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function statusOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/status`, 'utf8');
  } catch {
    return '';
  }
}

/** Also when it is not there any more. */
const isStopped = (pid: number): boolean => !/^State:\t[^TZ]/m.test(statusOf(pid));

function childrenOf(pid: number): number[] {
  const numbers = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return numbers.map(Number).filter((one) => statusOf(one).includes(`\nPPid:\t${pid}\n`));
}
