import { describe, expect, it } from 'vitest';
import type { ControlJob, NodeState } from './ports.ts';
import { questionsFor, readAnswers } from './questions-for-agents.ts';

const ours: NodeState = {
  ...{ id: 2, name: 'web-1', isLocal: false, isOnline: true, protocol: 2, hostname: 'web-1' },
  ...{ sourceTypes: null, storageTypes: null, jobKinds: ['inspect_source'], modes: null },
};
const fromTheField: NodeState = { ...ours, protocol: 1, jobKinds: null };
const config = { dbHost: 'db-1', dbPort: 3306, dbUser: 'root', dbPassword: 'pw', databases: [] };
const jobOf = (type: string): ControlJob => ({ kind: 'inspect_source', source: { type, config } });

describe('a source is inspected by an agent', () => {
  it('with the job itself, when it knows that', () => {
    expect(questionsFor(ours, jobOf('redis'))).toEqual([{ type: 'run_job', payload: jobOf('redis') }]);
    expect(() => questionsFor({ ...ours, jobKinds: [] }, jobOf('redis'))).toThrow(/NOT_SUPPORTED|inspect source/);
  });

  it('of the field by its own command, for what that knows', () => {
    const payload = { type: 'mysql', host: 'db-1', port: 3306, user: 'root', password: 'pw' };
    expect(questionsFor(fromTheField, jobOf('mysql'))).toEqual([{ type: 'discover_db', payload }]);
    expect(() => questionsFor(fromTheField, jobOf('sqlite'))).toThrow();
    expect(readAnswers(fromTheField, jobOf('mysql'), [{ databases: ['shop'] }])).toEqual({
      ...{ server: '', tool: '', warnings: [], readOnlyUserSql: null },
      databases: [{ name: 'shop', sizeBytes: null }],
    });
    expect(() => readAnswers(fromTheField, jobOf('mysql'), [null])).toThrow(/web-1/);
  });
});
