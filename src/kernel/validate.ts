/** What no implementation can carry out is refused before anything is touched. */

import { KernelError } from "../model/errors.js";
import { describeFlow, IP_PROTOCOL } from "../model/flow.js";
import { familyOf, parseAddress } from "../model/ip.js";
import { toBytesPerSecond } from "../model/units.js";
import { carriesAnything, describeMatch } from "./aggregate-match.js";
import type { ChangeSteps } from "./plan.js";
import { MAX_POOL } from "./pool-limit.js";
import type { AggregateMatch, DesiredState, FlowId, FlowRule, ManagedInterface, PoolClass, TunnelId } from "./port.js";

const U32 = 0xffffffff;
/** nftables computes the bucket as 10^9 × (rate + burst) in 64 bits. */
const MAX_POLICED_OCTETS = 18_000_000_000;
const MAX_POOL_NAME = 80;
/** Of one pool: they come and go in one transaction. */
const MAX_CARRIES = 256;
/** What needs no quoting in a command line. */
const INTERFACE_NAME = /^[A-Za-z0-9_.-]{1,15}$/;
const WITH_PORTS: ReadonlySet<number> = new Set(Object.values(IP_PROTOCOL));
const MIN_LINK_RATE = 8000;
/** 10 Tbit/s: a millisecond of it still fits what tc takes as a burst. */
const MAX_LINK_RATE = 10_000_000_000_000;

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 0xffff;
const isCanonical = (address: string): boolean => parseAddress(address) === address;

function refuse(code: string, object: string, why: string): KernelError {
  return new KernelError(code, `${object}: ${why}`, { operation: `check ${object}`, errno: "EINVAL" });
}

export function checkFlow(rule: FlowRule): void {
  const fail = (why: string): KernelError =>
    refuse("KERNEL_FLOW_INVALID", `flow ${rule.id} (${describeFlow(rule.key)})`, why);
  const { source, destination, protocol } = rule.key;
  if (!Number.isSafeInteger(rule.id) || rule.id < 1) throw fail("a flow id is a whole number from 1");
  if (!(protocol in IP_PROTOCOL)) throw fail("only TCP and UDP flows have ports to match");
  if (!isCanonical(source.address) || !isCanonical(destination.address)) throw fail("an address is not canonical");
  if (familyOf(source.address) !== familyOf(destination.address)) throw fail("its ends are of different families");
  if (!isPort(destination.port) || (source.port !== undefined && !isPort(source.port)))
    throw fail("a port is 1 to 65535");
  if (rule.pool < 1 || rule.pool > MAX_POOL) throw fail(`a pool id is 1 to ${MAX_POOL}`);
  const rate = toBytesPerSecond(rule.rate);
  if (rate < 1) throw fail("a rate of 0 lets nothing through; remove the flow instead");
  if (!Number.isInteger(rule.burst) || rule.burst > U32) throw fail(`a burst is a whole number of octets to ${U32}`);
  const { packetSize } = rule;
  if (packetSize !== undefined && (!Number.isInteger(packetSize) || packetSize < 20 || packetSize > 0xffff))
    throw fail("a packet size is a whole number of octets from 20 to 65535");
  if (rate + rule.burst > MAX_POLICED_OCTETS) throw fail("rate and burst together exceed what nftables can count");
}

export function checkPool(pool: PoolClass): void {
  const object = `pool ${pool.id} "${pool.name}"`;
  const fail = (why: string): KernelError => refuse("KERNEL_POOL_INVALID", object, why);
  if (!Number.isInteger(pool.id) || pool.id < 1 || pool.id > MAX_POOL) throw fail(`a pool id is 1 to ${MAX_POOL}`);
  if (encodeURIComponent(pool.name).length > MAX_POOL_NAME) throw fail("its name is too long for the kernel's comment");
  if (pool.only !== undefined && !INTERFACE_NAME.test(pool.only)) throw fail(`no interface is called ${pool.only}`);
  const { carries = [] } = pool;
  if (carries.length > MAX_CARRIES) throw fail(`it carries ${carries.length} aggregates, and may ${MAX_CARRIES}`);
  for (const match of carries) {
    const problem = matchProblem(match);
    if (problem !== undefined) throw fail(`${describeMatch(match)}: ${problem}`);
  }
}

/** Why nothing can match so; undefined where it can. */
function matchProblem(match: AggregateMatch): string | undefined {
  if (match.by === "codePoint") {
    return Number.isInteger(match.dscp) && match.dscp >= 0 && match.dscp < 64 ? undefined : "a code point is 0 to 63";
  }
  const { protocol, source, destination } = match;
  if (!Number.isInteger(protocol) || protocol < 1 || protocol > 255) return "a protocol is 1 to 255";
  if (!isCanonical(source.address) || !isCanonical(destination.address)) return "an address is not canonical";
  if (familyOf(source.address) !== familyOf(destination.address)) return "its ends are of different families";
  const ports = [source.port, destination.port].filter((port) => port !== undefined);
  if (ports.length > 0 && !WITH_PORTS.has(protocol)) return "only TCP and UDP have ports to match";
  if (ports.some((port) => !isPort(port))) return "a port is 1 to 65535";
  if (source.port !== undefined && destination.port === undefined) return "there is no source port without the other";
  return undefined;
}

/** On one interface a packet has one class. */
function checkCarried(desired: DesiredState, { poolSets }: ChangeSteps): void {
  if (!poolSets.some(carriesAnything)) return;
  if (desired.interfaces.length === 0 && poolSets.some((pool) => carriesAnything(pool) && pool.only === undefined))
    throw refuse("KERNEL_POOL_INVALID", "aggregates", "there is no interface to carry them on");
  const owners = new Map<string, PoolClass>();
  for (const pool of new Map([...desired.pools.values(), ...poolSets].map((each) => [each.id, each])).values()) {
    for (const link of pool.only === undefined ? desired.interfaces.map(({ name }) => name) : [pool.only]) {
      for (const match of pool.carries ?? []) {
        const key = `${describeMatch(match)} on ${link}`;
        const owner = owners.get(key);
        if (owner !== undefined && owner.id !== pool.id)
          throw refuse(
            "KERNEL_POOL_CONFLICT",
            `pool ${pool.id} "${pool.name}"`,
            `${key} is carried by pool ${owner.id}`,
          );
        owners.set(key, pool);
      }
    }
  }
}

/** Names go into command lines: only what needs no quoting. */
export function checkInterface(link: ManagedInterface): void {
  const object = `interface ${link.name}`;
  const fail = (why: string): KernelError => refuse("KERNEL_INTERFACE_INVALID", object, why);
  if (!INTERFACE_NAME.test(link.name)) throw fail("not a name that Sluice can manage");
  if (link.rate < MIN_LINK_RATE) throw fail(`a link carries at least ${MIN_LINK_RATE} bit/s`);
  if (link.rate > MAX_LINK_RATE) throw fail(`a link carries at most ${MAX_LINK_RATE} bit/s`);
  if (link.signallingRate > link.rate) throw fail("more is guaranteed to signalling than the link carries");
  if (!Number.isInteger(link.overhead) || link.overhead > 1000) throw fail("the overhead is 0 to 1000 octets");
  const { mpu = 0 } = link;
  if (!Number.isInteger(mpu) || mpu < 0 || mpu > 1000) throw fail("the least that a packet counts is 0 to 1000 octets");
}

function checkSignalling(desired: DesiredState): void {
  for (const match of desired.signalling) {
    const object = `signalling ${match.protocol} port ${match.port}`;
    if (!isPort(match.port)) throw refuse("KERNEL_SIGNALLING_INVALID", object, "a port is 1 to 65535");
    const wrong = match.servers.find((address) => !isCanonical(address));
    if (wrong !== undefined) throw refuse("KERNEL_SIGNALLING_INVALID", object, `${wrong} is not a canonical address`);
  }
}

function tunnelUnknown(flow: FlowId, tunnel: TunnelId): KernelError {
  const why = `its tunnel ${tunnel} is not among the desired tunnels`;
  return refuse("KERNEL_TUNNEL_UNKNOWN", `flow ${flow}`, why);
}

/** A tunnel may go only when no flow is wanted in it any more. */
function checkTunnelRemovals(desired: DesiredState, { tunnelRemoves }: ChangeSteps): void {
  const gone = new Set(tunnelRemoves.map(({ id }) => id).filter((id) => !desired.tunnels.has(id)));
  if (gone.size === 0) return;
  for (const { id, tunnel } of desired.flows.values()) {
    if (tunnel !== undefined && gone.has(tunnel)) throw tunnelUnknown(id, tunnel);
  }
}

/** @throws KernelError whose message names the object and says why it cannot be. */
export function checkSteps(desired: DesiredState, steps: ChangeSteps): void {
  if (steps.structure) {
    desired.interfaces.forEach(checkInterface);
    checkSignalling(desired);
    const names = new Set(desired.interfaces.map((link) => link.name));
    if (names.size !== desired.interfaces.length)
      throw refuse("KERNEL_INTERFACE_INVALID", "interfaces", "one is listed twice");
  }
  steps.poolSets.forEach(checkPool);
  checkCarried(desired, steps);
  checkTunnelRemovals(desired, steps);
  for (const { rule } of steps.adds) {
    checkFlow(rule);
    if (rule.tunnel !== undefined && !desired.tunnels.has(rule.tunnel)) throw tunnelUnknown(rule.id, rule.tunnel);
    if (!desired.pools.has(rule.pool))
      throw refuse("KERNEL_POOL_UNKNOWN", `flow ${rule.id}`, `its pool ${rule.pool} is not among the desired pools`);
  }
}
