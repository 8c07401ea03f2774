/**
 * Log text of one run on its way to the master: memory first, a file when the master is away, and at last the oldest
 * of what is still in memory gives way, with a marker. Adding never waits, so a slow master never slows a backup.
 */
import {
  appendFileSync,
  closeSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';

export interface LogSpoolLimits {
  /** Text kept in memory before it moves to the file, and again after the file is full. */
  readonly memoryBytes: number;
  readonly fileBytes: number;
}

export interface LogSpool {
  add(line: string): void;
  /** Next piece to send (≤ 64 KiB, whole lines as far as possible); '' when there is none. Stays until `sent`. */
  peek(): string;
  /** Drops what `peek` answered last. */
  sent(): void;
  readonly isEmpty: boolean;
  /** Writes what is in memory to the file, for the next start to find. */
  save(): void;
  /** Removes the file. */
  discard(): void;
}

const defaultLimits: LogSpoolLimits = { memoryBytes: 1024 * 1024, fileBytes: 8 * 1024 * 1024 };
const pieceBytes = 64 * 1024;

interface Piece {
  readonly from: 'file' | 'memory';
  readonly text: string;
  readonly sizeBytes: number;
  readonly lines: number;
}

/** Opens the spool at `path`, with what an earlier process left there. File errors only cost log text. */
export function openLogSpool(path: string, limits: LogSpoolLimits = defaultLimits): LogSpool {
  const offsetPath = `${path}.offset`;
  let fileBytes = sizeOf(path);
  let fileOffset = Math.min(readOffset(offsetPath), fileBytes);
  let memory: string[] = [];
  let memoryBytes = 0;
  let droppedLines = 0;
  let piece: Piece | null = null;

  function spill(): boolean {
    const text = memory.join('');
    const sizeBytes = Buffer.byteLength(text);
    if (piece?.from === 'memory' || fileBytes + sizeBytes > limits.fileBytes) return false;
    try {
      appendFileSync(path, text, { mode: 0o600 });
    } catch {
      return false;
    }
    fileBytes += sizeBytes;
    memory = [];
    memoryBytes = 0;
    return true;
  }

  /** Lines of a piece that is being sent must stay in front. */
  function dropOldest(): void {
    const firstFree = piece?.from === 'memory' ? piece.lines : 0;
    while (memoryBytes > limits.memoryBytes && memory.length > firstFree + 1) {
      const [line] = memory.splice(firstFree, 1);
      memoryBytes -= Buffer.byteLength(line ?? '');
      droppedLines += 1;
    }
  }

  function nextPiece(): Piece | null {
    if (fileOffset < fileBytes) {
      const bytes = readAt(path, fileOffset, Math.min(pieceBytes, fileBytes - fileOffset));
      if (bytes.length > 0) {
        const end = wholeLines(bytes);
        return { from: 'file', text: bytes.toString('utf8', 0, end), sizeBytes: end, lines: 0 };
      }
      fileOffset = fileBytes;
    }
    if (droppedLines > 0) {
      const marker = `… ${droppedLines} lines were dropped while the master could not be reached …\n`;
      memory.unshift(marker);
      memoryBytes += Buffer.byteLength(marker);
      droppedLines = 0;
    }
    return memory.length === 0 ? null : firstLines(memory);
  }

  function dropFile(): void {
    fileBytes = 0;
    fileOffset = 0;
    try {
      truncateSync(path, 0);
      rmSync(offsetPath, { force: true });
    } catch {
      // The file was never made.
    }
  }

  return {
    add(line) {
      memory.push(line);
      memoryBytes += Buffer.byteLength(line);
      if (memoryBytes > limits.memoryBytes && !spill()) dropOldest();
    },
    peek() {
      piece ??= nextPiece();
      return piece?.text ?? '';
    },
    sent() {
      if (piece?.from === 'file') {
        fileOffset += piece.sizeBytes;
        if (fileOffset >= fileBytes) dropFile();
        else writeOffset(offsetPath, fileOffset);
      } else if (piece) {
        memory.splice(0, piece.lines);
        memoryBytes -= piece.sizeBytes;
      }
      piece = null;
    },
    get isEmpty() {
      return fileOffset >= fileBytes && memory.length === 0 && droppedLines === 0;
    },
    save() {
      piece = null;
      if (memory.length > 0) spill();
    },
    discard() {
      rmSync(path, { force: true });
      rmSync(offsetPath, { force: true });
    },
  };
}

/** As many lines as fit into a piece, at least one. */
function firstLines(memory: readonly string[]): Piece {
  let sizeBytes = 0;
  let lines = 0;
  for (const line of memory) {
    const lineBytes = Buffer.byteLength(line);
    if (lines > 0 && sizeBytes + lineBytes > pieceBytes) break;
    sizeBytes += lineBytes;
    lines += 1;
  }
  return { from: 'memory', text: memory.slice(0, lines).join(''), sizeBytes, lines };
}

function sizeOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0;
}

function readOffset(path: string): number {
  try {
    return Number(readFileSync(path, 'utf8')) || 0;
  } catch {
    return 0;
  }
}

function writeOffset(path: string, offset: number): void {
  try {
    writeFileSync(path, String(offset), { mode: 0o600 });
  } catch {
    // At worst a stretch of the log is sent twice after a restart.
  }
}

function readAt(path: string, offset: number, length: number): Buffer {
  try {
    const file = openSync(path, 'r');
    try {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, readSync(file, bytes, 0, length, offset));
    } finally {
      closeSync(file);
    }
  } catch {
    return Buffer.alloc(0);
  }
}

/** Length up to the last line end; everything when there is none, which only a single huge line can cause. */
function wholeLines(bytes: Buffer): number {
  const last = bytes.lastIndexOf(0x0a);
  return last < 0 ? bytes.length : last + 1;
}
