/** All English texts: those of the gate and those that come with the console proper. */
import { en } from './en.ts';
import { enRepositories } from './en-repositories.ts';
import { enSources } from './en-sources.ts';
import { enVerifications } from './en-verifications.ts';

export const enWhole = { ...en, ...enRepositories, ...enSources, ...enVerifications } as const;
