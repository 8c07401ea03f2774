/** Starts `repository-job.ts` as `backupx.mjs` starts the program: plain JavaScript, and the code cache before all else. */
import { enableCompileCache } from 'node:module';

enableCompileCache();
await import('./repository-job.ts');
