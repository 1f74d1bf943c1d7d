/** What is asked of the DNS, and how node asks it. */
import { Resolver } from "node:dns/promises";
import type { IpAddress } from "../../model/ip.js";
import { type Millis, seconds } from "../../model/units.js";

export interface NaptrRecord {
  readonly order: number;
  readonly preference: number;
  readonly service: string;
  readonly flags: string;
  readonly replacement: string;
}

export interface SrvRecord {
  readonly priority: number;
  readonly weight: number;
  readonly port: number;
  readonly name: string;
}

/** Each gives an empty list where there is nothing of the kind, and throws where nobody could say. */
export interface DnsLookups {
  naptr(name: string): Promise<readonly NaptrRecord[]>;
  srv(name: string): Promise<readonly SrvRecord[]>;
  addresses(name: string, family: 4 | 6): Promise<readonly IpAddress[]>;
}

/** NODATA and NXDOMAIN. */
const NOTHING: readonly string[] = ["ENODATA", "ENOTFOUND", "ENONAME", "EBADNAME"];

const DEFAULT_TIMEOUT = seconds(2);

/** @param servers - instead of those of the system */
export function nodeLookups(options: { servers?: readonly string[]; timeout?: Millis } = {}): DnsLookups {
  const resolver = new Resolver({ timeout: options.timeout ?? DEFAULT_TIMEOUT, tries: 2 });
  if (options.servers !== undefined) resolver.setServers([...options.servers]);
  const orNothing = async <T>(answer: Promise<T[]>): Promise<T[]> => {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof Error && "code" in error && NOTHING.includes(String(error.code))) return [];
      throw error;
    }
  };
  return {
    naptr: (name) => orNothing(resolver.resolveNaptr(name)),
    srv: (name) => orNothing(resolver.resolveSrv(name)),
    addresses: (name, family) => orNothing(family === 4 ? resolver.resolve4(name) : resolver.resolve6(name)),
  };
}
