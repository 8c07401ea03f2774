/**
 * Compiles the AssemblyScript sources of `packages/engine/assembly` into TypeScript modules that carry the WebAssembly
 * as base64, so that nothing has to be built or found at run time. `--check` only compares and fails when a module is
 * not what its source gives.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

const root = path.resolve(import.meta.dirname, '..');

interface WasmModule {
  readonly source: string;
  readonly target: string;
  readonly constant: string;
  readonly flags: readonly string[];
}

/** The caller gives the memory; 65536 pages is the most that there can be. */
const sharedMemory = [
  ...['--importMemory', '--noExportMemory', '--sharedMemory', '--initialMemory', '1', '--maximumMemory', '65536'],
  ...['--enable', 'threads', '--enable', 'bulk-memory'],
];

const modules: readonly WasmModule[] = [
  {
    source: 'packages/engine/assembly/poly1305.ts',
    target: 'packages/engine/src/repository/wasm/poly1305-code.ts',
    constant: 'poly1305Code',
    flags: ['--initialMemory', '3', '--maximumMemory', '3'],
  },
  {
    source: 'packages/engine/assembly/open-blobs.ts',
    target: 'packages/engine/src/repository/wasm/open-blobs-code.ts',
    constant: 'openBlobsCode',
    flags: ['--initialMemory', '4', '--maximumMemory', '4'],
  },
  {
    source: 'packages/engine/assembly/chunker.ts',
    target: 'packages/engine/src/repository/wasm/chunker-relaxed-code.ts',
    constant: 'chunkerRelaxedCode',
    flags: [...sharedMemory, '--enable', 'simd', '--enable', 'relaxed-simd'],
  },
  {
    source: 'packages/engine/assembly/chunker.ts',
    target: 'packages/engine/src/repository/wasm/chunker-simd-code.ts',
    constant: 'chunkerSimdCode',
    flags: [...sharedMemory, '--enable', 'simd'],
  },
  {
    source: 'packages/engine/assembly/chunker.ts',
    target: 'packages/engine/src/repository/wasm/chunker-scalar-code.ts',
    constant: 'chunkerScalarCode',
    flags: [...sharedMemory, '--disable', 'simd'],
  },
];

function compile(module: WasmModule): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'build-wasm-'));
  try {
    const outFile = path.join(folder, 'module.wasm');
    const options = ['-O3', '--noAssert', '--runtime', 'stub', '--outFile', outFile, ...module.flags];
    const compiler = path.join(root, 'node_modules/assemblyscript/bin/asc.js');
    execFileSync(process.execPath, [compiler, module.source, ...options], { cwd: root, stdio: 'inherit' });
    const base64 = readFileSync(outFile).toString('base64');
    return `/** WebAssembly made from \`${module.source}\` by \`node tools/build-wasm.ts\`; not to be edited. */\nexport const ${module.constant} =\n  '${base64}';\n`;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const isCheck = process.argv.includes('--check');
for (const module of modules) {
  const text = compile(module);
  const target = path.join(root, module.target);
  if (existsSync(target) && readFileSync(target, 'utf8') === text) continue;
  if (isCheck) {
    console.error(`${module.target} is out of date: run \`node tools/build-wasm.ts\``);
    process.exitCode = 1;
  } else {
    writeFileSync(target, text);
    console.log(`wrote ${module.target}`);
  }
}
