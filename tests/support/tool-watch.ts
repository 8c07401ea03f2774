/** Programs that our engine has started, found in /proc: what others on the machine could see of them. */
import { readdirSync, readFileSync } from 'node:fs';

export interface SeenTool {
  readonly pid: number;
  /** Name of the program, without its folder. */
  readonly name: string;
  readonly commandLine: string;
  readonly environment: string;
}

/** Running programs whose command line has `word`, apart from ourselves. */
export function findTools(word: string): SeenTool[] {
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) return [];
    try {
      const commandLine = readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
      if (!commandLine.includes(word)) return [];
      const environment = readFileSync(`/proc/${pid}/environ`, 'utf8').replaceAll('\0', ' ');
      return [{ pid, name: commandLine.split(' ')[0]?.split('/').at(-1) ?? '', commandLine, environment }];
    } catch {
      return [];
    }
  });
}

/** Looks again and again until `stop`; answers everything seen. */
export function watchTools(word: string): { stop(): SeenTool[] } {
  const seen = new Map<string, SeenTool>();
  const timer = setInterval(() => {
    for (const tool of findTools(word)) seen.set(`${tool.pid} ${tool.commandLine}`, tool);
  }, 20);
  return {
    stop() {
      clearInterval(timer);
      return [...seen.values()];
    },
  };
}

/** Waits for a program of this name and kills it. */
export async function killTool(name: string, word: string): Promise<void> {
  const deadlineMs = Date.now() + 90_000;
  while (Date.now() < deadlineMs) {
    const tool = findTools(word).find((item) => item.name === name);
    if (tool) {
      await new Promise((resolve) => setTimeout(resolve, 60));
      process.kill(tool.pid, 'SIGKILL');
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  throw new Error(`no ${name} was running`);
}
