/** Address resolution on the way: who asked whom, where an answer was needed. */
import { pathSteps } from './path.ts';
import { type Evidence, numberOf, textOf } from './recording.ts';
import type { Draft } from './step.ts';
import { TEXT } from './text.ts';

const REQUEST = 1;

/** A step for each question that a device sent and what switches did with it, and one for the answer when it came. */
export function arpSteps(evidence: Evidence): Draft[] {
  const drafts: Draft[] = [];
  for (const frame of evidence.frames) {
    if (frame.dissection.protocol !== 'ARP') continue;
    const sender = evidence.deviceOf(frame.device);
    if (sender === undefined || sender.kind === 'switch') continue;
    const isQuestion = numberOf(frame, 'arp.opcode') === REQUEST;
    const asked = textOf(frame, 'arp.dst.proto_ipv4');
    const answered = textOf(frame, 'arp.src.proto_ipv4');
    if (isQuestion && frame.direction === 'out') {
      const event = evidence.eventsOf(frame, frame.device).find((other) => other.point === 'arp_send');
      if (event !== undefined) {
        drafts.push({
          ...TEXT.arpAsks(frame.device, asked),
          at: frame.at,
          device: frame.device,
          place: 'link',
          event,
          frame,
        });
        drafts.push(...pathSteps(evidence, frame));
      }
    } else if (!isQuestion && frame.direction === 'in') {
      const event = evidence.eventsOf(frame, frame.device).find((other) => other.point === 'arp_rcv');
      const mac = textOf(frame, 'arp.src.hw_mac');
      if (event !== undefined) {
        drafts.push(...pathSteps(evidence, frame));
        drafts.push({
          ...TEXT.arpAnswered(frame.device, answered, mac),
          at: frame.at,
          device: frame.device,
          place: 'link',
          event,
          frame,
        });
      }
    }
  }
  return drafts;
}
