/** Runs the one job that comes as JSON on standard input, start-up included; prints its result. Argument: temp folder. */
import { enableCompileCache } from 'node:module';
import { text } from 'node:stream/consumers';

// As the program itself does.
enableCompileCache();
const { createEngine } = await import('@backupx/engine');
const { silentReporter } = await import('@backupx/engine/ports/reporter');
const engine = createEngine({ tempDir: process.argv[2] });
const job = JSON.parse(await text(process.stdin));
const result = await engine.run(job, { reporter: silentReporter, signal: new AbortController().signal });
console.log(JSON.stringify(result));
await engine.close(5000);
