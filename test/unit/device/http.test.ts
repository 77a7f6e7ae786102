import { expect, test } from 'vitest';
import { formatLogs } from '../../../services/lab/logs.ts';
import { type Schema, schemaProblem } from '../../../shared/device/http.ts';

const schema: Schema = {
  type: 'object',
  properties: { target: { type: 'string', minLength: 1, maxLength: 4 }, on: { type: 'boolean' } },
  required: ['target'],
};

test('a body is as its schema says, or the first thing that is wrong is said', () => {
  expect(schemaProblem(schema, { target: 'a', on: true, more: 1 }, '')).toBeUndefined();
  expect(schemaProblem(schema, {}, '')).toBe('the body: target is missing');
  expect(schemaProblem(schema, { target: 5 }, '')).toBe('target: expected text');
  expect(schemaProblem(schema, { target: '' }, '')).toBe('target: too short');
  expect(schemaProblem(schema, { target: 'abcde' }, '')).toBe('target: too long');
  expect(schemaProblem(schema, { target: 'a', on: 1 }, '')).toBe('on: expected true or false');
  for (const other of [null, undefined, 'x', [], 3]) {
    expect(schemaProblem(schema, other, '')).toBe('the body: expected an object');
  }
});

test('logs of several devices are in the order of time, for people; what is no record stays with the one before', () => {
  const record = (time: string, device: string, msg: string) =>
    JSON.stringify({ level: 40, time: `2026-01-01T00:00:${time}Z`, device, pid: 1, port: 'eth0', msg });
  const text = `${record('02.000', 'alice', 'second')}\n    at stack\n${record('01.500', 'bob', 'first')}\n`;
  expect(formatLogs(text)).toBe(
    '00:00:01.500 bob          warn  first port=eth0\n00:00:02.000 alice        warn  second port=eth0\n    at stack\n',
  );
});
