/** RSVP of the router, as its configuration wants it. */
import { randomInt } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { RouterConfig } from "../config/router.js";
import type { RsvpConfig } from "../config/rsvp.js";
import type { Clock } from "../model/clock.js";
import { SystemError } from "../model/errors.js";
import type { Logger } from "../model/log.js";
import { dscpOf } from "../model/phb.js";
import { bytesPerSecond, millis, octets } from "../model/units.js";
import type { RsvpHappenings } from "../pep/router/rsvp/happenings.js";
import { LinkRooms } from "../pep/router/rsvp/link-rooms.js";
import type { OutsourcedAdmission } from "../pep/router/rsvp/outsourced-admission.js";
import type { ReservedPools } from "../pep/router/rsvp/reserved-pools.js";
import { RsvpSpeaker } from "../pep/router/rsvp/speaker.js";
import { DEFAULT_RSVP_LIMITS } from "../rsvp/endpoint/limits.js";
import { openTransport } from "../rsvp/endpoint/open-transport.js";
import { DEFAULT_RELIABILITY } from "../rsvp/reliability/rules.js";
import { KeyTable } from "../rsvp/security/key-table.js";
import { type RsvpKey, rsvpKey, type SecurityAssociation } from "../rsvp/security/keys.js";
import { followedNetwork } from "./ip-network.js";
import { endToEndEdge, receivedBy } from "./router-rsvp-e2e.js";

/** Network control, RFC 4594 §3.1: CS6. */
const TOS = dscpOf("CS6") << 2;
/** In case a change was told to nobody. */
const LOOK_EVERY = millis(30_000);
/** What HTB counts of a packet beyond layer 3 on Ethernet. */
const ETHERNET_HEADER = 14;
/** RFC 2747 §7 leaves it to the operator; less can be guessed. */
const MIN_SECRET = 16;
const EPOCHS = 2 ** 24;

export interface RouterRsvpOptions {
  readonly rsvp: RsvpConfig;
  readonly kernel: RouterConfig["kernel"];
  readonly pools: ReservedPools;
  readonly outsourced?: OutsourcedAdmission;
  /** Told of what befalls reservations and neighbours. */
  readonly happenings: RsvpHappenings;
  readonly clock: Clock;
  readonly log: Logger;
}

/** @throws SystemError if no transport works here, or a secret cannot be used */
export async function openRsvp({
  rsvp,
  kernel,
  pools,
  outsourced,
  happenings,
  clock,
  log,
}: RouterRsvpOptions): Promise<RsvpSpeaker> {
  const { address, refresh, ceiling, interfaces, aggregates, transport } = rsvp;
  const rooms = linkRooms(rsvp, kernel);
  const edge = endToEndEdge(rsvp, { clock, log });
  const nextHops = interfaces.flatMap(({ name, nextHop }) => (nextHop === undefined ? [] : [[name, nextHop] as const]));
  const speaker = await RsvpSpeaker.open({
    ...(address === undefined ? {} : { address }),
    refresh,
    ceiling: bytesPerSecond(ceiling / 8),
    rooms: new Map(interfaces.map(({ name, room }) => [name, room])),
    standing: aggregates.map(({ remote, phb, rate, burst, packetSize }) => ({
      remote,
      dscp: dscpOf(phb),
      rate,
      burst,
      packetSize,
    })),
    linkOverhead: octets(ETHERNET_HEADER + Math.max(0, ...kernel.interfaces.map(({ overhead }) => overhead))),
    network: rooms.through(followedNetwork({ clock, log })),
    lookEvery: LOOK_EVERY,
    classes: pools,
    ...(outsourced === undefined ? {} : { outsourced }),
    ...(edge === undefined ? {} : { endToEnd: edge }),
    happenings,
    clock,
    log,
    random: Math.random,
    endpoint: {
      keys: new KeyTable(await associations(rsvp)),
      reliability: DEFAULT_RELIABILITY,
      epoch: randomInt(EPOCHS),
      tos: TOS,
      transport: (handlers) =>
        // RSVP-E2E-IGNORE does not go by UDP.
        openTransport(edge === undefined ? transport : "raw", {
          handlers,
          limits: DEFAULT_RSVP_LIMITS,
          clock,
          ...receivedBy(edge),
          families: [4, 6],
          // A host of appendix C sends to the port that routers listen on, and listens there itself: all nodes can be one.
          udp: { role: "host", nextHops: new Map(nextHops) },
        }),
    },
  });
  rooms.follow((name, room) => {
    log.info("rsvp.room", { interface: name, room });
    speaker.resize(name, room);
  });
  return speaker;
}

function linkRooms({ interfaces }: RsvpConfig, kernel: RouterConfig["kernel"]): LinkRooms {
  return new LinkRooms(
    interfaces.map(({ name, room }) => {
      const rate = kernel.interfaces.find((managed) => managed.name === name)?.rate;
      return { name, room, ...(rate === undefined ? {} : { rate }) };
    }),
  );
}

/** Keys of the same place are one list, out of which time chooses. */
async function associations({ keys }: RsvpConfig): Promise<readonly SecurityAssociation[]> {
  const places = new Map<string, SecurityAssociation>();
  for (const { id, secretFile, from, until, interface: name, neighbour } of keys) {
    const validity = { ...(from === undefined ? {} : { from }), ...(until === undefined ? {} : { until }) };
    const key: RsvpKey = rsvpKey(id, await readSecret(secretFile), validity);
    const place = `${name ?? ""} ${neighbour ?? ""}`;
    const before = places.get(place)?.keys ?? [];
    places.set(place, {
      ...(name === undefined ? {} : { interface: name }),
      ...(neighbour === undefined ? {} : { neighbour }),
      keys: [...before, key],
      // RFC 2747 §4.3: without it an old message could be played back after a restart.
      handshake: "willing",
      window: 1,
    });
  }
  return [...places.values()];
}

async function readSecret(file: string): Promise<Buffer> {
  const text = await readFile(file).catch((cause: unknown) => {
    throw new SystemError("RSVP_SECRET", `the secret ${file} cannot be read`, { cause, remedy: "correct the path" });
  });
  const end = text.at(-1) === 0x0a ? -1 : undefined;
  const secret = text.subarray(0, end);
  if (secret.length >= MIN_SECRET) return secret;
  const remedy = `write at least ${MIN_SECRET} octets into it, such as by "openssl rand -hex 32"`;
  throw new SystemError("RSVP_SECRET", `the secret in ${file} is too short`, { remedy });
}
