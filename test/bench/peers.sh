#!/usr/bin/env bash
# The bench's peers that need root: vde_switch between two kernel TAPs, Linux bridges and a router, Mininet. Each lives in
# network, mount and process namespaces made for it, which end with this command, whatever ends it: no interface, no file
# and no process of theirs is ever seen outside.
#
#   peers.sh install        apt-get what is missing (Debian 12: vde2 iperf3 iproute2 iputils-ping; for mininet its friends)
#   peers.sh why KIND       in a word why KIND cannot be had here; nothing when it can
#   peers.sh vde | linux    brings it up, says `ready`; then a command a line on standard input, an answer a line back:
#       goodput SECONDS         iperf3's receiver: bits a second
#       ping COUNT SECONDS      round trips in microseconds, SECONDS apart
#       frames SECONDS          64-octet frames a second that came through (iperf3 -u -b 0 -l 18)
#   peers.sh mininet N      `mn --topo single,N`, Linux bridge: says `ready` when its command line is there
#   peers.sh shell N        the same from a loop: N namespaces on one bridge
# KIND: vde, linux, mininet, shell. The end of standard input ends them.
set -u
here=$(readlink -f "$0")
PATH=$PATH:/usr/sbin:/sbin
A=10.9.0.1
B=10.9.0.2

install() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq -o DPkg::Lock::Timeout=300 --no-install-recommends \
    vde2 iperf3 iproute2 iputils-ping util-linux mininet bridge-utils net-tools ethtool
}

needs() { # KIND: the commands it is made of
  case $1 in
    vde) echo ip iperf3 ping vde_switch ;;
    linux) echo ip iperf3 ping ;;
    mininet) echo ip mn brctl ifconfig ;;
    shell) echo ip ;;
  esac
}

why() {
  [ "$(uname)" = Linux ] || { echo 'not Linux'; return; }
  [ "$(id -u)" = 0 ] || { echo 'needs root'; return; }
  local tool
  for tool in unshare $(needs "$1"); do
    command -v "$tool" >/dev/null || { echo "no $tool: test/bench/peers.sh install"; return; }
  done
  [ "$1" != vde ] || [ -c /dev/net/tun ] || { echo 'no /dev/net/tun'; return; }
  unshare --net --mount --pid --fork --kill-child --mount-proc ip link add wl0 type veth peer name wl1 2>/dev/null ||
    echo 'no network namespaces'
}

pair() { # NS DEVICE ADDRESS: an interface into a namespace of its own
  ip netns add "$1" 2>/dev/null
  ip link set "$2" netns "$1"
  ip -n "$1" link set lo up
  [ -z "${3:-}" ] || ip -n "$1" addr add "$3" dev "$2"
  ip -n "$1" link set "$2" up
}

inside_vde() {
  mkdir -p /run/bench
  vde_switch -sock /run/bench/ctl -tap tapa -tap tapb -daemon </dev/null >/dev/null 2>&1
  # The daemon goes on making them while its command has ended.
  local i
  for ((i = 0; i < 100; i++)); do
    [ -e /sys/class/net/tapa ] && [ -e /sys/class/net/tapb ] && break
    sleep 0.05
  done
  pair a tapa $A/24
  pair b tapb $B/24
}

inside_linux() { # a - br1 - r - br2 - b, every one in a namespace
  A=10.9.1.1
  B=10.9.2.1
  local side
  for side in 1 2; do
    ip netns add br$side
    ip -n br$side link add br0 type bridge
    ip -n br$side link set br0 up
    ip link add host$side type veth peer name p1 netns br$side
    ip link add router$side type veth peer name p2 netns br$side
    ip -n br$side link set p1 up master br0
    ip -n br$side link set p2 up master br0
  done
  pair a host1 $A/24
  pair b host2 $B/24
  pair r router1 10.9.1.254/24
  pair r router2 10.9.2.254/24
  ip netns exec r sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
  ip -n a route add default via 10.9.1.254
  ip -n b route add default via 10.9.2.254
}

received() { ip netns exec b awk '/tapb:/ { print $3 }' /proc/net/dev; }

answer() { # COMMAND ARGUMENT…
  case $1 in
    goodput) ip netns exec a iperf3 -c $B -t "$2" -f k | awk '/receiver/ { print $7 * 1000 }' ;;
    ping) ip netns exec a ping -c "$2" -i "$3" $B | sed -n 's/.*time=\([0-9.]*\) ms.*/\1/p' | awk '{ printf "%d ", $1 * 1000 } END { print "" }' ;;
    frames)
      local before=$(received) start=$EPOCHREALTIME
      ip netns exec a iperf3 -c $B -u -b 0 -l 18 -t "$2" >/dev/null
      echo "$(received) $before $EPOCHREALTIME $start" | awk '{ print ($1 - $2) / ($3 - $4) }'
      ;;
  esac
}

serve() {
  ip netns exec b iperf3 -s >/dev/null 2>&1 &
  local i
  for ((i = 0; i < 100; i++)); do
    ip netns exec a ping -c 1 -W 1 $B >/dev/null && ip netns exec b grep -qi ':1451 ' /proc/net/tcp /proc/net/tcp6 && break
    sleep 0.05
  done
  [ $i -lt 100 ] || exit 1
  echo ready
  local command
  while read -r -a command; do answer "${command[@]}" || echo failed; done
}

inside_shell() { # N
  local i
  ip link add br0 type bridge
  ip link set br0 up
  for ((i = 1; i <= $1; i++)); do
    ip link add h$i type veth peer name s$i
    ip link set s$i up master br0
    pair n$i h$i 10.9.0.$i/16
  done
  echo ready
  read -r _
}

inside_mininet() { # N: its command line reads our standard input
  mn --topo "single,$1" --switch lxbr --controller none 2>&1 | grep --line-buffered -o 'Starting CLI' | sed -u 's/.*/ready/'
}

inside() {
  mount -t tmpfs tmpfs /run
  mount -t sysfs sysfs /sys
  ip link set lo up
  "inside_$@"
  case $1 in vde | linux) serve ;; esac
}

case ${1:-} in
  install) install ;;
  why) why "$2" ;;
  inside) shift; inside "$@" ;;
  vde | linux | mininet | shell) exec unshare --net --mount --pid --fork --kill-child --mount-proc bash "$here" inside "$@" ;;
  *) sed -n '2,18s/^# \{0,1\}//p' "$here" >&2; exit 2 ;;
esac
