/** An RSVP router for benchmarks: the product's node, endpoint and codec, with routes and traffic control that say yes. */
import type { Clock } from "../src/model/clock.js";
import type { IpAddress } from "../src/model/ip.js";
import { SILENT_LOGGER } from "../src/model/log.js";
import { type BytesPerSecond, octets } from "../src/model/units.js";
import type { FilterSpec, Session, TokenBucket } from "../src/rsvp/codec/objects.js";
import { tokenBucket } from "../src/rsvp/codec/token-bucket.js";
import { NodeDriver, type OutsideAction } from "../src/rsvp/endpoint/node-driver.js";
import type { RsvpTransport, TransportHandlers } from "../src/rsvp/endpoint/transport.js";
import type { Notice } from "../src/rsvp/machine/events.js";
import { RsvpNode } from "../src/rsvp/machine/node.js";
import type { NodeRules } from "../src/rsvp/machine/rules.js";
import type { ReliabilityRules } from "../src/rsvp/reliability/rules.js";
import { KeyTable } from "../src/rsvp/security/key-table.js";
import { withoutReduction } from "./rsvp-plain.js";

/** Network control, CS6. */
const TOS = 0xc0;

export interface BenchRouterOptions {
  readonly interface: string;
  readonly address: IpAddress;
  readonly clock: Clock;
  readonly rules: NodeRules;
  readonly reliability: ReliabilityRules;
  /** False: the router says that it cannot do RFC 2961, so that its neighbour sends it every refresh as a whole. */
  readonly reduction: boolean;
  /** In [0, 1). */
  readonly random: () => number;
  readonly transport: (handlers: TransportHandlers) => Promise<RsvpTransport>;
  readonly notice?: (session: Session, notice: Notice) => void;
}

export interface BenchRouter {
  readonly driver: NodeDriver;
  readonly node: RsvpNode;
}

/** A router with one interface. It reserves for every Path that ends here what its sender says. */
export async function openRouter(options: BenchRouterOptions): Promise<BenchRouter> {
  const { interface: name, address, clock, random, reduction, reliability } = options;
  const node = new RsvpNode(options.rules);
  const outside = (action: OutsideAction): void => {
    if (action.do === "resolve") {
      const { destination } = action;
      const route = destination === address ? ({ kind: "local" } as const) : ({ kind: "interface", name } as const);
      driver.tell({ type: "routeChanged", destination, route });
    }
    if (action.do === "reserve") {
      driver.tell({ type: "admission", ref: action.ref, id: action.id, verdict: { admit: true } });
    }
    if (action.do === "notify") {
      if (action.notice.what === "pathArrived") answer(driver, address, action.session, action.notice.sender);
      options.notice?.(action.session, action.notice);
    }
  };
  const driver: NodeDriver = await NodeDriver.open({
    node,
    clock,
    log: SILENT_LOGGER,
    random,
    outside,
    endpoint: {
      keys: new KeyTable([]),
      reliability,
      isOwn: (other) => other === address,
      interfaceTo: () => name,
      epoch: 1,
      tos: TOS,
      transport: async (handlers) => {
        const transport = await options.transport(handlers);
        return reduction ? transport : withoutReduction(transport);
      },
    },
  });
  await driver.endpoint?.transport?.attach(name);
  driver.tell({ type: "interface", interface: { name, addresses: [address], lih: 1, mtu: octets(1500) } });
  return { driver, node };
}

function answer(
  driver: NodeDriver,
  confirm: IpAddress,
  session: Session,
  { template, tspec }: { readonly template: FilterSpec; readonly tspec: TokenBucket },
): void {
  const flows = [{ filter: template, flowspec: { kind: "controlledLoad", tspec } as const }];
  driver.tell({ type: "reserve", session, flows: { style: "FF", flows }, confirm });
}

/** @param rate - octets per second at the IP layer */
export const tspecOf = (rate: number): TokenBucket =>
  tokenBucket({
    rate: rate as BytesPerSecond,
    bucket: octets(4000),
    peak: rate as BytesPerSecond,
    minPoliced: octets(60),
    maxPacket: octets(1500),
  });
