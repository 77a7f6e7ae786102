/**
 * The two models of a network, and where each protocol stands in them. Every step of a journey and every layer of a
 * frame names its place in both. (ISO/IEC 7498-1 §7; RFC 1122 §1.1.3)
 */
export interface OsiLayer {
  readonly number: 1 | 2 | 3 | 4 | 5 | 6 | 7;
  readonly name: string;
  readonly duty: string;
}

export interface InternetLayer {
  readonly name: 'Application' | 'Transport' | 'Internet' | 'Link';
  /** What one piece of its data is called. */
  readonly unit: 'message' | 'segment' | 'packet' | 'frame';
  readonly duty: string;
}

export const OSI: readonly OsiLayer[] = [
  { number: 1, name: 'Physical', duty: 'carries bits over the cable as signals' },
  { number: 2, name: 'Data link', duty: 'carries frames between two neighbours, finds damage, addresses cards by MAC' },
  { number: 3, name: 'Network', duty: 'routes and forwards packets from network to network, fragments them' },
  { number: 4, name: 'Transport', duty: 'carries data from program to program, end to end' },
  { number: 5, name: 'Session', duty: 'opens, keeps and closes conversations' },
  { number: 6, name: 'Presentation', duty: 'turns data into a form that the other system understands' },
  { number: 7, name: 'Application', duty: 'gives programs one way to speak to each other' },
];

export const INTERNET: readonly InternetLayer[] = [
  { name: 'Application', unit: 'message', duty: 'HTTP, DNS, FTP and the like: what programs say to each other' },
  { name: 'Transport', unit: 'segment', duty: 'TCP and UDP: from program to program, by ports' },
  { name: 'Internet', unit: 'packet', duty: 'IP: from host to host, over any number of networks' },
  { name: 'Link', unit: 'frame', duty: 'Ethernet: from one card to the next on the same network' },
];

/** A place in both models. */
export interface Place {
  readonly osi: OsiLayer;
  readonly internet: InternetLayer;
}

export type PlaceName = 'physical' | 'link' | 'network' | 'transport' | 'session' | 'presentation' | 'application';

const PLACES: Readonly<Record<PlaceName, readonly [osi: number, internet: number]>> = {
  physical: [1, 3],
  link: [2, 3],
  network: [3, 2],
  transport: [4, 1],
  session: [5, 0],
  presentation: [6, 0],
  application: [7, 0],
};

export function placeOf(name: PlaceName): Place {
  const [osi, internet] = PLACES[name];
  const place = { osi: OSI[osi - 1], internet: INTERNET[internet] };
  if (place.osi === undefined || place.internet === undefined) throw new Error('the table names layers that exist');
  return { osi: place.osi, internet: place.internet };
}
