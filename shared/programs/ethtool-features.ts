/** The features of a card in ethtool's names and order. Those that the cards here do not have are off for good. */

/** Our name of each feature that can be switched. */
const SWITCHED: Readonly<Record<string, string>> = {
  rx: 'rxChecksum',
  'rx-checksumming': 'rxChecksum',
  'rx-checksum': 'rxChecksum',
  tx: 'txChecksum',
  'tx-checksumming': 'txChecksum',
  'tx-checksum-ip-generic': 'txChecksum',
  tso: 'tso',
  'tcp-segmentation-offload': 'tso',
  'tx-tcp-segmentation': 'tso',
  gso: 'gso',
  'generic-segmentation-offload': 'gso',
  'tx-generic-segmentation': 'gso',
  gro: 'gro',
  'generic-receive-offload': 'gro',
  'rx-gro': 'gro',
};

/** What -k prints, tab in front for the parts of a group; `fixed`: never here. */
const LINES: readonly (readonly [string, string | 'fixed'])[] = [
  ['rx-checksumming', 'rxChecksum'],
  ['tx-checksumming', 'txChecksum'],
  ['\ttx-checksum-ipv4', 'fixed'],
  ['\ttx-checksum-ip-generic', 'txChecksum'],
  ['\ttx-checksum-ipv6', 'fixed'],
  ['\ttx-checksum-fcoe-crc', 'fixed'],
  ['\ttx-checksum-sctp', 'fixed'],
  ['scatter-gather', 'fixed'],
  ['\ttx-scatter-gather', 'fixed'],
  ['\ttx-scatter-gather-fraglist', 'fixed'],
  ['tcp-segmentation-offload', 'tso'],
  ['\ttx-tcp-segmentation', 'tso'],
  ['\ttx-tcp-ecn-segmentation', 'fixed'],
  ['\ttx-tcp-mangleid-segmentation', 'fixed'],
  ['\ttx-tcp6-segmentation', 'fixed'],
  ['generic-segmentation-offload', 'gso'],
  ['generic-receive-offload', 'gro'],
  ['large-receive-offload', 'fixed'],
  ['rx-vlan-offload', 'fixed'],
  ['tx-vlan-offload', 'fixed'],
  ['ntuple-filters', 'fixed'],
  ['receive-hashing', 'fixed'],
  ['highdma', 'fixed'],
  ['rx-vlan-filter', 'fixed'],
  ['vlan-challenged', 'fixed'],
  ['tx-gso-robust', 'fixed'],
  ['tx-gso-partial', 'fixed'],
  ['tx-udp-segmentation', 'fixed'],
  ['tx-gso-list', 'fixed'],
  ['tx-nocache-copy', 'fixed'],
  ['loopback', 'fixed'],
  ['rx-fcs', 'fixed'],
  ['rx-all', 'fixed'],
  ['hw-tc-offload', 'fixed'],
  ['rx-gro-hw', 'fixed'],
  ['rx-gro-list', 'fixed'],
  ['rx-udp-gro-forwarding', 'fixed'],
];

export function featureNamed(word: string): string | undefined {
  return SWITCHED[word];
}

/** Short names, and those of kernel and -k, of what no card here has: it can be asked for, and stays off. */
const FIXED_SHORT: Readonly<Record<string, string>> = {
  sg: 'tx-scatter-gather',
  lro: 'rx-lro',
  rxvlan: 'rx-vlan-hw-parse',
  txvlan: 'tx-vlan-hw-insert',
  ntuple: 'rx-ntuple-filter',
  rxhash: 'rx-hashing',
  ufo: 'tx-udp-fragmentation',
};

/** The kernel's name of a feature that is off for good; undefined for a word that is no feature. */
export function fixedFeature(word: string): string | undefined {
  const short = FIXED_SHORT[word];
  if (short !== undefined) return short;
  if (word === 'large-receive-offload' || word === 'rx-lro') return 'rx-lro';
  return LINES.some(([name, key]) => key === 'fixed' && name.trim() === word) ? word : undefined;
}

/** What the kernel calls a feature of ours. */
const KERNEL_NAMES: Readonly<Record<string, string>> = {
  tso: 'tx-tcp-segmentation',
  gso: 'tx-generic-segmentation',
  gro: 'rx-gro',
  txChecksum: 'tx-checksum-ip-generic',
  rxChecksum: 'rx-checksum',
};

export function kernelName(feature: string): string {
  return KERNEL_NAMES[feature] ?? feature;
}

export function featureText(features: Readonly<Record<string, boolean>>): string {
  const lines = LINES.map(([name, key]) => {
    const value = features[key];
    return `${name}: ${value === undefined ? 'off [fixed]' : value ? 'on' : 'off'}\n`;
  });
  return lines.join('');
}
