/**
 * Ends of runs on other machines that the run itself did not report in full: lost, cancelled, or told only by the
 * result of its command. Everything goes through the same record life cycle as runs on the master.
 */
import type { CommandResultBody } from '@backupx/contracts/agent-protocol';
import { isRestorable, type RecordStatus } from '@backupx/contracts/record-status';
import { nodesStore } from '../stores/nodes.store.ts';
import { runStores } from '../stores/run-stores.ts';
import { agentFailure } from './agent-failure.ts';
import type { Db, EndOptions, RecordLifecycle, RunRef as Run, RunFailure } from './ports.ts';

export interface RunEnds {
  /** Ends a run whose agent is gone, or out of sight (`mayGoOn`). Answers true when the run had ended well before. */
  interrupt(run: Run, nodeId: number, message: string, options?: EndOptions): Promise<boolean>;
  /** Ends a run that never started because its node stayed away. */
  neverStarted(run: Run, nodeId: number): Promise<void>;
  cancel(run: Run, options?: EndOptions): Promise<void>;
  /** The command's result arrived: a record that still runs got no closing report and is ended with what is known. */
  reported(run: Run, nodeId: number, body: CommandResultBody): Promise<void>;
}

export function createRunEnds({ db, records }: { readonly db: Db; readonly records: RecordLifecycle }): RunEnds {
  type Status = 'failed' | 'cancelled' | 'interrupted';

  const finish = (run: Run, status: Status, failure: RunFailure, options?: EndOptions): Promise<boolean> =>
    records.finishFailed(run, { status, failure }, options);

  async function nodeName(nodeId: number): Promise<string> {
    const row = await nodesStore.find(db, nodeId);
    return row?.name ?? `#${nodeId}`;
  }

  async function agentFailed(nodeId: number, message: string): Promise<RunFailure> {
    return { code: 'AGENT_FAILED', params: { node: await nodeName(nodeId), reason: message }, message };
  }

  async function statusOf(run: Run): Promise<RecordStatus | undefined> {
    const row = await runStores[run.owner].find(db, run.id);
    return row?.status as RecordStatus | undefined;
  }

  return {
    async interrupt(run, nodeId, message, options) {
      const ended = await finish(run, 'interrupted', await agentFailed(nodeId, message), options);
      if (ended) return false;
      if (!options?.mayGoOn) await records.workEnded(run);
      const status = await statusOf(run);
      return status !== undefined && isRestorable(status);
    },

    async neverStarted(run, nodeId) {
      const node = await nodeName(nodeId);
      const message = `${node} stayed offline; the run never started.`;
      await finish(run, 'failed', { code: 'NODE_OFFLINE', params: { node }, message });
    },

    async cancel(run, options) {
      await finish(run, 'cancelled', { code: 'CANCELLED', params: {}, message: 'The work was cancelled.' }, options);
    },

    async reported(run, nodeId, body) {
      if ((await statusOf(run)) !== 'running') {
        await records.workEnded(run);
        return;
      }
      if (body.success) {
        const message = 'The agent reported success without the closing report of the run.';
        await finish(run, 'interrupted', await agentFailed(nodeId, message));
        return;
      }
      const message = body.errorMessage || 'The run failed.';
      const failure = agentFailure(await nodeName(nodeId), message, body.errorCode);
      await finish(run, body.errorCode === 'CANCELLED' ? 'cancelled' : 'failed', failure);
    },
  };
}
