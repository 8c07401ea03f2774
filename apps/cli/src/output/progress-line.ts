import type { JobProgress } from '@backupx/contracts/jobs';
import { formatBytes, formatCount, formatDuration } from './format.ts';
import type { Terminal } from './terminal.ts';

/** One live line at a terminal; elsewhere a plain line now and then, so that logs stay readable. */
export interface ProgressLine {
  show(progress: JobProgress): void;
  /** Takes the line away. */
  clear(): void;
}

const plainEveryMs = 20_000;
const frames = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

export function createProgressLine(label: string, terminal: Terminal, monotonicMs: () => number): ProgressLine {
  let frame = 0;
  let isDrawn = false;
  let saidAtMs = monotonicMs();
  return {
    show(progress) {
      const text = describeProgress(label, progress);
      if (terminal.isInteractive) {
        frame = (frame + 1) % frames.length;
        process.stderr.write(`\r\x1b[2K${`${frames[frame]} ${text}`.slice(0, terminal.columns - 1)}`);
        isDrawn = true;
      } else if (monotonicMs() - saidAtMs >= plainEveryMs) {
        saidAtMs = monotonicMs();
        terminal.say(text);
      }
    },
    clear() {
      if (isDrawn) process.stderr.write('\r\x1b[2K');
      isDrawn = false;
    },
  };
}

/** `www  62%  1,234 files  1.2 GiB/1.9 GiB  84 MiB/s  ETA 0:09  3 warnings` */
export function describeProgress(label: string, progress: JobProgress): string {
  if (progress.phase === 'queued') return `${label}  waiting for a free place`;
  const { percent, bytesTotal, etaSeconds, problemCount } = progress;
  const bytes = formatBytes(progress.bytesDone) + (bytesTotal ? `/${formatBytes(bytesTotal)}` : '');
  const parts = [label];
  if (percent !== null) parts.push(`${Math.floor(percent)}%`);
  parts.push(formatCount(progress.itemsDone, 'file'), bytes, `${formatBytes(progress.bytesPerSecond)}/s`);
  if (etaSeconds !== null) parts.push(`ETA ${formatDuration(etaSeconds)}`);
  if (problemCount > 0) parts.push(formatCount(problemCount, 'warning'));
  return parts.join('  ');
}
