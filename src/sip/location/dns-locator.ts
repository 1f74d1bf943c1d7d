/** Locating SIP servers by the DNS: RFC 3263 §4. Without TLS, as this proxy has no sips. */
import type { Clock } from "../../model/clock.js";
import { type IpAddress, parseAddress } from "../../model/ip.js";
import { type Millis, seconds, type Timestamp } from "../../model/units.js";
import type { DnsLookups, NaptrRecord, SrvRecord } from "./dns-records.js";

export type HopTransport = "udp" | "tcp";

/** What a URI says of where it leads. */
export interface HopName {
  readonly host: string;
  readonly port: number | undefined;
  /** Its `transport` parameter. */
  readonly transport?: string | undefined;
}

export interface Server {
  readonly transport: HopTransport;
  readonly address: IpAddress;
  readonly port: number;
}

export interface DnsLocatorOptions {
  readonly lookups: DnsLookups;
  readonly clock: Clock;
  /** Transports that this proxy can use, the most wanted first. */
  readonly transports: readonly HopTransport[];
  /** How long an answer holds; a third of it that there is nothing, or that nobody could say. */
  readonly keep?: Millis;
  /** 0..1, for the weights of RFC 2782. */
  readonly random?: () => number;
}

const KEEP = seconds(60);
const KEPT = 10_000;
/** Servers of one domain that are looked at. */
const MOST = 8;
/** Records of one answer that are read. */
const READ = 64;
const DEFAULT_PORT = 5060;
/** §4.1: the services of transports without TLS. */
const SERVICES: ReadonlyMap<string, HopTransport> = new Map([
  ["SIP+D2U", "udp"],
  ["SIP+D2T", "tcp"],
]);

interface Kept {
  readonly until: Timestamp;
  readonly servers: Promise<readonly Server[]>;
}

export class DnsLocator {
  private readonly options: DnsLocatorOptions;
  private readonly kept = new Map<string, Kept>();

  constructor(options: DnsLocatorOptions) {
    this.options = options;
  }

  /** In the order in which they are to be tried; empty if there are none that this proxy can talk to. */
  async locate(hop: HopName): Promise<readonly Server[]> {
    const key = `${hop.host} ${hop.port ?? ""} ${hop.transport ?? ""}`;
    const { clock, keep = KEEP } = this.options;
    const known = this.kept.get(key);
    if (known !== undefined && known.until > clock.now()) return known.servers;
    const servers = this.find(hop).catch((): readonly Server[] => []);
    this.remember(key, { until: (clock.now() + keep) as Timestamp, servers });
    const found = await servers;
    if (found.length === 0) this.remember(key, { until: (clock.now() + keep / 3) as Timestamp, servers });
    return found;
  }

  private remember(key: string, kept: Kept): void {
    this.kept.delete(key);
    const [oldest] = this.kept.keys();
    if (this.kept.size >= KEPT && oldest !== undefined) this.kept.delete(oldest);
    this.kept.set(key, kept);
  }

  private async find({ host, port, transport: named }: HopName): Promise<readonly Server[]> {
    const wanted = named?.toLowerCase();
    const can = this.options.transports;
    const explicit = can.find((transport) => transport === wanted);
    // A transport that this proxy has not: there is no other way to what wants it.
    if (wanted !== undefined && explicit === undefined) return [];
    const literal = parseAddress(host);
    const first = explicit ?? "udp";
    if (literal !== undefined) return [{ transport: first, address: literal, port: port ?? DEFAULT_PORT }];
    // §4.1: a port, like an address, leaves nothing to look up but addresses.
    if (port !== undefined) return this.addresses(host, { transport: first, port });
    const services = explicit === undefined ? await this.byNaptr(host) : [];
    if (services.length > 0) return services;
    // §4.1: without NAPTR records SRV is asked for each transport.
    for (const transport of explicit === undefined ? can : [explicit]) {
      const found = await this.bySrv(`_sip._${transport}.${host}`, transport);
      if (found.length > 0) return found;
    }
    // §4.2: no SRV records either: the addresses of the name itself.
    return this.addresses(host, { transport: first, port: DEFAULT_PORT });
  }

  private async byNaptr(host: string): Promise<readonly Server[]> {
    const answer = (await this.options.lookups.naptr(host)).slice(0, READ);
    const records = answer.filter(({ flags }) => flags.toLowerCase() === "s");
    for (const { service, replacement } of records.toSorted(byOrder).slice(0, MOST)) {
      const transport = SERVICES.get(service.toUpperCase());
      if (transport === undefined || !this.options.transports.includes(transport)) continue;
      const found = await this.bySrv(replacement, transport);
      if (found.length > 0) return found;
    }
    return [];
  }

  private async bySrv(name: string, transport: HopTransport): Promise<readonly Server[]> {
    const records = (await this.options.lookups.srv(name)).filter(
      (record) => record.name !== "" && record.name !== ".",
    );
    const servers: Server[] = [];
    for (const record of inTurn(records, this.options.random ?? Math.random).slice(0, MOST)) {
      servers.push(...(await this.addresses(record.name, { transport, port: record.port })));
    }
    return servers.slice(0, MOST);
  }

  private async addresses(name: string, where: Pick<Server, "transport" | "port">): Promise<readonly Server[]> {
    const { lookups } = this.options;
    const answers = await Promise.allSettled([lookups.addresses(name, 4), lookups.addresses(name, 6)]);
    const found = answers.flatMap((answer) => (answer.status === "fulfilled" ? answer.value : []));
    return found.flatMap((text) => {
      const address = parseAddress(text);
      return address === undefined ? [] : [{ ...where, address }];
    });
  }
}

const byOrder = (one: NaptrRecord, other: NaptrRecord): number =>
  one.order - other.order || one.preference - other.preference;

/** RFC 2782: by priority; of equal ones each comes first as often as its weight says. */
export function inTurn(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const left = records.toSorted((one, other) => one.priority - other.priority || one.weight - other.weight);
  const turn: SrvRecord[] = [];
  while (left.length > 0) {
    const priority = left[0]?.priority;
    const equals = left.filter((record) => record.priority === priority);
    const total = equals.reduce((sum, { weight }) => sum + weight, 0);
    const picked = atWeight(equals, random() * total) ?? equals[0];
    if (picked === undefined) return turn;
    turn.push(picked);
    left.splice(left.indexOf(picked), 1);
  }
  return turn;
}

/** The record that a point on the line of their weights falls on. */
function atWeight(records: readonly SrvRecord[], point: number): SrvRecord | undefined {
  let end = 0;
  return records.find(({ weight }) => {
    end += weight;
    return point < end;
  });
}
