/** epoll_ctl and epoll_wait of a script: `{events=EPOLLIN|EPOLLET, fd=4}`; `fd` of an event is a number that comes back. */
import type { EpollOperation } from '../../shared/net/eventpoll.ts';
import type { Fd, Syscalls } from '../../shared/net/syscalls.ts';
import { settlePromises } from '../kit/clock.ts';
import { must } from './message.ts';
import { type Expression, ParseError } from './script.ts';
import { numberOf, structOf, wordOf } from './values.ts';

const EPOLL_DATA = ['fd', 'ptr', 'u32', 'u64'] as const;
const OPERATIONS: ReadonlyMap<string, EpollOperation> = new Map([
  ['EPOLL_CTL_ADD', 'add'],
  ['EPOLL_CTL_MOD', 'mod'],
  ['EPOLL_CTL_DEL', 'del'],
]);

type ToFd = (expression: Expression | undefined) => Fd;

function intOf(expression: Expression | undefined): number {
  if (expression === undefined) throw new ParseError('an argument is missing');
  return numberOf(expression);
}

function dataOf(fields: ReadonlyMap<string, Expression> | undefined): Expression | undefined {
  return EPOLL_DATA.map((name) => fields?.get(name)).find((it) => it !== undefined);
}

export function epollControl(sys: Syscalls, args: readonly Expression[], fd: ToFd): number {
  const command = wordOf(args[1]);
  const operation = OPERATIONS.get(command);
  if (operation === undefined) throw new ParseError(`${command}: EPOLL_CTL_ADD, _MOD or _DEL was expected`);
  const fields = args[3]?.kind === 'struct' ? args[3].fields : undefined;
  const events = fields?.get('events');
  const data = dataOf(fields);
  sys.epollCtl(fd(args[0]), operation, fd(args[2]), {
    events: events === undefined ? 0 : numberOf(events),
    data: data === undefined ? 0 : numberOf(data),
  });
  return 0;
}

export async function epollWait(sys: Syscalls, args: readonly Expression[], fd: ToFd): Promise<number> {
  await settlePromises();
  const timeout = intOf(args[3]);
  const found = await sys.epollWait(fd(args[0]), intOf(args[2]), timeout < 0 ? undefined : timeout * 1_000);
  const wanted = args[1]?.kind === 'list' ? args[1].items : args[1]?.kind === 'struct' ? [args[1]] : [];
  for (const [i, want] of wanted.entries()) {
    const { fields } = structOf(want);
    const events = fields.get('events');
    if (events !== undefined) must('events', numberOf(events), found[i]?.events ?? 0);
    const data = dataOf(fields);
    const got = found[i];
    if (data !== undefined && data.kind !== 'ellipsis' && got !== undefined) must('data', numberOf(data), got.data);
  }
  return found.length;
}
