/** Who the clearinghouse serves, and where calls go. Plain data, as the configuration gives it. */
import { SystemError } from "../model/errors.js";
import { type IpAddress, type IpPrefix, parseAddress, parsePrefix, prefixContains } from "../model/ip.js";
import type { BitsPerSecond } from "../model/units.js";
import { parseSignalAddress } from "../osp/codec/fields.js";
import type { Party } from "../osp/codec/messages.js";
import type { Tariff } from "../osp/tariff.js";
import { PriceBook, type PriceRule } from "./price-book.js";

export interface PeerRule {
  readonly id: string;
  /** What the peer must claim in its messages; absent claims nothing. */
  readonly deviceId?: string | undefined;
  readonly customerId?: string | undefined;
  /** Addresses and prefixes it may connect from. Claims are no proof: this list is. */
  readonly addresses: readonly string[];
  readonly mayOriginate: boolean;
  readonly mayTerminate: boolean;
  /** Domains of the callers it may speak for; absent is any. */
  readonly originatesFor?: readonly string[] | undefined;
  readonly requestsPerSecond?: number | undefined;
  /** Transactions it may have authorised, unexpired and unreported. */
  readonly maxOpen?: number | undefined;
  /** Of one session, layer 3. */
  readonly maxBandwidth?: BitsPerSecond | undefined;
  readonly serviceClasses?: readonly string[] | undefined;
}

/** Where calls to a domain, or to numbers with a prefix, go. One of `domain` and `e164prefix` is given. */
export interface DestinationRule {
  readonly domain?: string | undefined;
  readonly e164prefix?: string | undefined;
  /** `[address]:port` or `name:port`. */
  readonly signalAddress: string;
  /** The only peer that may terminate these calls; absent is any that may terminate. */
  readonly peer?: string | undefined;
}

export interface ClearinghouseRules {
  readonly peers: readonly PeerRule[];
  readonly destinations: readonly DestinationRule[];
  /** Seconds in which a token can start a session; default 300. */
  readonly tokenLifetime?: number | undefined;
  /** Seconds that a session may last; default 3600. */
  readonly sessionLimit?: number | undefined;
  /** What sessions cost: the first rule that fits. Absent: nothing is charged. */
  readonly prices?: readonly PriceRule[] | undefined;
}

/** The domain of a party: of `user@domain`, `sip:user@domain:port`, or of a type that is a bare domain. */
export function domainOf({ type, value }: Party): string | undefined {
  const address = value.replace(/^sips?:/i, "");
  const host = address.includes("@") ? address.slice(address.lastIndexOf("@") + 1) : undefined;
  const text = host ?? (type === "sip" || type === "url" ? address : undefined);
  const match = /^(\[[0-9a-fA-F.:]+\]|[A-Za-z0-9.-]+)/.exec(text ?? "");
  return match?.[1]?.toLowerCase();
}

interface KnownPeer {
  readonly rule: PeerRule;
  readonly prefixes: readonly IpPrefix[];
}

/** The rules, ready for look-ups. */
export class RuleBook {
  readonly rules: ClearinghouseRules;
  readonly #peers: readonly KnownPeer[];
  readonly #domains = new Map<string, DestinationRule>();
  readonly #numbers: readonly DestinationRule[];
  readonly #prices: PriceBook;

  /** @throws SystemError CLEARINGHOUSE_RULES for an address that is none, or a destination peer that is not listed */
  constructor(rules: ClearinghouseRules) {
    this.rules = rules;
    this.#prices = new PriceBook(rules.prices ?? []);
    this.#peers = rules.peers.map((rule) => ({ rule, prefixes: rule.addresses.map(asPrefix) }));
    for (const destination of rules.destinations) {
      if (parseSignalAddress(destination.signalAddress) === undefined) {
        throw badRule(`destination address ${destination.signalAddress} is neither [address]:port nor name:port`);
      }
      if (destination.peer !== undefined && this.peer(destination.peer) === undefined) {
        throw badRule(`destination peer ${destination.peer} is not in the list of peers`);
      }
      if (destination.domain !== undefined) this.#domains.set(destination.domain.toLowerCase(), destination);
    }
    this.#numbers = rules.destinations
      .filter(({ e164prefix }) => e164prefix !== undefined)
      .sort((left, right) => (right.e164prefix ?? "").length - (left.e164prefix ?? "").length);
  }

  peer(id: string): PeerRule | undefined {
    return this.rules.peers.find((rule) => rule.id === id);
  }

  /** The peer that connects from `address` and claims these names; a rule with a name wants it claimed. */
  identify(address: IpAddress, claim: Pick<PeerRule, "customerId" | "deviceId">): PeerRule | undefined {
    const matches = ({ rule, prefixes }: KnownPeer): boolean =>
      prefixes.some((prefix) => prefixContains(prefix, address)) &&
      (rule.deviceId === undefined || rule.deviceId === claim.deviceId) &&
      (rule.customerId === undefined || rule.customerId === claim.customerId);
    return this.#peers.find(matches)?.rule;
  }

  /** Of a session of this class between these parties; undefined: nothing is charged. */
  tariffOf(serviceClass: string | undefined, calling: Party, called: Party): Tariff | undefined {
    return this.#prices.tariffOf(serviceClass, domainOf(calling), domainOf(called));
  }

  /** By domain, else by the longest number prefix. */
  destinationOf(called: Party): DestinationRule | undefined {
    const domain = domainOf(called);
    if (domain !== undefined) return this.#domains.get(domain);
    const digits = called.value.replace(/^(tel:)?\+?/, "");
    return this.#numbers.find(({ e164prefix }) => e164prefix !== undefined && digits.startsWith(e164prefix));
  }
}

function asPrefix(text: string): IpPrefix {
  const address = parseAddress(text);
  const whole = address === undefined ? undefined : { address, length: address.includes(":") ? 128 : 32 };
  const prefix = whole ?? parsePrefix(text);
  if (prefix === undefined) throw badRule(`peer address ${text} is neither an address nor a prefix`);
  return prefix;
}

const badRule = (message: string): SystemError =>
  new SystemError("CLEARINGHOUSE_RULES", message, { remedy: "correct the clearinghouse's peers and destinations" });
