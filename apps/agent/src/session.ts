/** What the last heartbeat taught the agent about its master; shared by the loops, written by the heartbeat alone. */
export interface MasterSession {
  /** False until a heartbeat was answered, and again while the master refuses the token. */
  isAccepted: boolean;
  /** 1: knows only the routes of agents in the field. */
  protocol: number;
  nodeId: number;
  nodeName: string;
  heartbeatMs: number;
  pollMs: number;
}

export function createSession(heartbeatMs: number, pollMs: number): MasterSession {
  return { isAccepted: false, protocol: 1, nodeId: 0, nodeName: '', heartbeatMs, pollMs };
}
