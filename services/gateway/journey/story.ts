/** A journey's story: chapters look at the evidence, their steps stand in order of time. */
import { arpSteps } from './arp.ts';
import { connectionSteps } from './connection.ts';
import { programSteps } from './programs.ts';
import { Evidence, type Recording } from './recording.ts';
import { number, type Step } from './step.ts';

export interface Story {
  readonly device: string;
  readonly url: string;
  readonly cause: number;
  /** 0 when the page came. */
  readonly exitStatus: number;
  readonly steps: readonly Step[];
  /** What the browser showed in the end. */
  readonly output: string;
  /** Frames and events that were lost to the recording; when not 0, steps may be missing. */
  readonly lost: number;
}

export function tell(recording: Recording): Story {
  const evidence = new Evidence(recording);
  const drafts = [...programSteps(evidence), ...arpSteps(evidence), ...connectionSteps(evidence)];
  const { device, url, cause, exitStatus, output, lost, startedAt } = recording;
  return { device, url, cause, exitStatus, steps: number(drafts, startedAt), output, lost };
}
