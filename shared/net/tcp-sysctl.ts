/** The net.ipv4.tcp_* values of a host, under Linux's names and with the defaults of 6.12; read as fields by the rest. */
import type { Host } from './host.ts';
import { ReservedPorts } from './local-ports.ts';
import { CONGESTION_CONTROLS } from './tcp-congestion.ts';

/** `blackholeReset`: a new tcp_fastopen_blackhole_timeout_sec forgets what was seen. */
/** In the order in which Linux registers them. */
const ALLOWED_CONTROLS = 'reno cubic';

export function tcpSysctlInit(host: Host, blackholeReset: () => void) {
  const { sysctl } = host;
  const number = (name: string, initial: number, min = 0, max = 2_147_483_647) =>
    sysctl.number(`net.ipv4.${name}`, initial, { min, max });
  const reservedPorts = new ReservedPorts();
  sysctl.register('net.ipv4.ip_local_reserved_ports', reservedPorts);
  const controls = ALLOWED_CONTROLS;
  sysctl.readOnly('net.ipv4.tcp_available_congestion_control', () => controls);
  return {
    /** What a program may choose with TCP_CONGESTION. */
    allowedCongestionControl: sysctl.text('net.ipv4.tcp_allowed_congestion_control', ALLOWED_CONTROLS, (names) =>
      names.split(/\s+/).every((name) => CONGESTION_CONTROLS.has(name)),
    ),
    congestionControl: sysctl.text('net.ipv4.tcp_congestion_control', 'cubic', (name) => CONGESTION_CONTROLS.has(name)),
    rmem: sysctl.vector('net.ipv4.tcp_rmem', [4_096, 131_072, 6_291_456], { min: 1 }),
    wmem: sysctl.vector('net.ipv4.tcp_wmem', [4_096, 16_384, 4_194_304], { min: 1 }),
    localPortRange: sysctl.vector('net.ipv4.ip_local_port_range', [32_768, 60_999], { min: 1, max: 65_535 }),
    reservedPorts,
    autobindReuse: number('ip_autobind_reuse', 0, 0, 1),
    timestamps: number('tcp_timestamps', 1, 0, 2),
    // Ours, not Linux's: by pair of addresses timestamps look as those of the kernels before 6.10, also to nmap.
    tsOffset: sysctl.text('wirelab.ts_offset', 'connection', (word) => word === 'connection' || word === 'pair'),
    windowScaling: number('tcp_window_scaling', 1, 0, 1),
    sack: number('tcp_sack', 1, 0, 1),
    dsack: number('tcp_dsack', 1, 0, 1),
    synRetries: number('tcp_syn_retries', 6, 1, 127),
    synLinearTimeouts: number('tcp_syn_linear_timeouts', 4, 0, 127),
    synackRetries: number('tcp_synack_retries', 5, 0, 255),
    retries1: number('tcp_retries1', 3, 0, 255),
    retries2: number('tcp_retries2', 15),
    orphanRetries: number('tcp_orphan_retries', 0, 0, 255),
    finTimeout: number('tcp_fin_timeout', 60),
    twReuse: number('tcp_tw_reuse', 2, 0, 2),
    // Of 6.14, with the second of the kernels before it.
    twReuseDelayMs: number('tcp_tw_reuse_delay', 1_000, 1, 60_000),
    maxTwBuckets: number('tcp_max_tw_buckets', 262_144),
    maxOrphans: number('tcp_max_orphans', 65_536),
    maxSynBacklog: number('tcp_max_syn_backlog', 1_024),
    synCookies: number('tcp_syncookies', 1, 0, 2),
    somaxconn: sysctl.number('net.core.somaxconn', 4_096, { min: 0 }),
    abortOnOverflow: number('tcp_abort_on_overflow', 0, 0, 1),
    rfc1337: number('tcp_rfc1337', 0, 0, 1),
    stdurg: number('tcp_stdurg', 0, 0, 1),
    reordering: number('tcp_reordering', 3),
    maxReordering: number('tcp_max_reordering', 300),
    recovery: number('tcp_recovery', 1),
    thinLinearTimeouts: number('tcp_thin_linear_timeouts', 0, 0, 1),
    retransCollapse: number('tcp_retrans_collapse', 1, 0, 1),
    pingpongThresh: number('tcp_pingpong_thresh', 1, 1, 255),
    earlyRetrans: number('tcp_early_retrans', 3, 0, 4),
    frto: number('tcp_frto', 2, 0, 2),
    ecn: number('tcp_ecn', 2, 0, 5),
    ecnOption: number('tcp_ecn_option', 2, 0, 3),
    ecnOptionBeacon: number('tcp_ecn_option_beacon', 3, 0, 3),
    ecnFallback: number('tcp_ecn_fallback', 1, 0, 1),
    appWin: number('tcp_app_win', 31, 0, 31),
    moderateRcvbuf: number('tcp_moderate_rcvbuf', 1, 0, 1),
    shrinkWindow: number('tcp_shrink_window', 0, 0, 1),
    slowStartAfterIdle: number('tcp_slow_start_after_idle', 1, 0, 1),
    keepaliveTime: number('tcp_keepalive_time', 7_200),
    keepaliveProbes: number('tcp_keepalive_probes', 9, 0, 255),
    keepaliveIntvl: number('tcp_keepalive_intvl', 75),
    tsoWinDivisor: number('tcp_tso_win_divisor', 3),
    minTsoSegs: number('tcp_min_tso_segs', 2, 1, 65_535),
    tsoRttLog: number('tcp_tso_rtt_log', 9),
    limitOutputBytes: number('tcp_limit_output_bytes', 1_048_576),
    notsentLowat: number('tcp_notsent_lowat', 4_294_967_295, 0, 4_294_967_295),
    pacingSsRatio: number('tcp_pacing_ss_ratio', 200, 0, 1_000),
    pacingCaRatio: number('tcp_pacing_ca_ratio', 120, 0, 1_000),
    minRttWlen: number('tcp_min_rtt_wlen', 300, 0, 86_400),
    invalidRatelimit: number('tcp_invalid_ratelimit', 500),
    challengeAckLimit: number('tcp_challenge_ack_limit', 2_147_483_647),
    compSackNr: number('tcp_comp_sack_nr', 44, 0, 255),
    // Of 6.16, with the twentieth of the kernels before it.
    compSackRttPercent: number('tcp_comp_sack_rtt_percent', 5, 1, 1_000),
    workaroundSignedWindows: number('tcp_workaround_signed_windows', 0, 0, 1),
    reflectTos: number('tcp_reflect_tos', 0, 0, 1),
    compSackDelayNs: number('tcp_comp_sack_delay_ns', 1_000_000),
    minSndMss: number('tcp_min_snd_mss', 48, 48, 65_535),
    mtuProbing: number('tcp_mtu_probing', 0, 0, 2),
    baseMss: number('tcp_base_mss', 1_024),
    mtuProbeFloor: number('tcp_mtu_probe_floor', 48),
    probeThreshold: number('tcp_probe_threshold', 8),
    probeInterval: number('tcp_probe_interval', 600, 0),
    rtoMinUs: number('tcp_rto_min_us', 200_000, 1),
    fastopen: number('tcp_fastopen', 1, -2_147_483_648),
    fastopenBlackholeTimeoutSec: sysctl.number('net.ipv4.tcp_fastopen_blackhole_timeout_sec', 0, {
      min: 0,
      changed: blackholeReset,
    }),
    // Of 6.15, with the constant of the kernels before it.
    rtoMaxMs: number('tcp_rto_max_ms', 120_000, 1_000, 120_000),
    noMetricsSave: number('tcp_no_metrics_save', 0, 0, 1),
    noSsthreshMetricsSave: number('tcp_no_ssthresh_metrics_save', 1, 0, 1),
  };
}

export type TcpSysctl = ReturnType<typeof tcpSysctlInit>;
