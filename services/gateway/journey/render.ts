/** A story as text for a terminal: numbered, with time, device and both models' layers. */
import type { Step } from './step.ts';
import type { Story } from './story.ts';

const TEXT_WIDTH = 100;

export function renderStory(story: Story): string {
  const lines = [`${story.url} from ${story.device}`, ''];
  for (const step of story.steps) lines.push(...renderStep(step), '');
  if (story.lost > 0)
    lines.push(`(${story.lost} frames or events were lost to the recording: steps may be missing.)`, '');
  lines.push(story.output.trimEnd());
  return `${lines.join('\n')}\n`;
}

function renderStep(step: Step): string[] {
  const head = `${String(step.number).padStart(3)}. ${step.title}`;
  const where = `${(step.at / 1_000).toFixed(3)} ms  ${step.device}  OSI ${step.layer.osi} · TCP/IP ${step.layer.tcpip} (${step.layer.unit})`;
  const rests =
    step.frame === null
      ? step.event.point
      : `${step.event.point}, frame ${step.frame.frame} ${step.frame.direction} at ${step.frame.end}`;
  return [head, `     ${where}`, ...wrap(step.text).map((line) => `     ${line}`), `     [${rests}]`];
}

function wrap(text: string): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > TEXT_WIDTH) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  if (line !== '') lines.push(line);
  return lines;
}
