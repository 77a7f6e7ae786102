/**
 * What a supervisor and its children say over IPC. Under another engine there is no channel and nothing here is said:
 * a device works the same without.
 */
export type LifecycleVerb = 'kill' | 'start' | 'stop' | 'restart' | 'freeze' | 'thaw';
export const LIFECYCLE_VERBS: readonly LifecycleVerb[] = ['kill', 'start', 'stop', 'restart', 'freeze', 'thaw'];

/**
 * starting: spawned, not serving yet. frozen: it stands still (SIGSTOP). stopped: asked to end. dead: it ended by itself,
 * or was killed.
 */
export type ProcessState = 'starting' | 'up' | 'frozen' | 'stopped' | 'dead';

export interface ProcessStatus {
  readonly name: string;
  readonly state: ProcessState;
  /** 0 when there is no process. */
  readonly pid: number;
  /** How the last process ended: `killed by SIGKILL`, `exit status 1`; empty while it runs. */
  readonly ended: string;
}

export type ToSupervisor =
  | { readonly type: 'ready'; readonly port: number }
  | { readonly type: 'failed'; readonly problem: string }
  | { readonly type: 'carrier'; readonly port: string; readonly up: boolean }
  | { readonly type: 'lifecycle'; readonly id: number; readonly verb: LifecycleVerb; readonly device: string }
  | { readonly type: 'down' };

export type FromSupervisor =
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly error?: { readonly code: string; readonly message: string };
    }
  | { readonly type: 'status'; readonly devices: readonly ProcessStatus[] };

/** A supervisor started us, and has gone: even before we could listen for it. */
export function supervisorHasGone(): boolean {
  return process.send !== undefined && !process.connected;
}

/** Tell the supervisor, if there is one. */
export function tellSupervisor(message: ToSupervisor): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}
