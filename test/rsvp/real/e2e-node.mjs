// A node of its own for tests of end-to-end RSVP on real packets. A router is the product's speaker, without a kernel's classes;
// a host is the product's node with whatever it asks for admitted. First line: its options. Lines in: {"tell": event}. Lines out:
// {"ready": transport}, {"notice": notice}, {"sessions": [kind, …]} after {"sessions": true}.
import { createInterface } from "node:readline";

const [dist, given] = process.argv.slice(2);
const load = (path) => import(`${dist}/${path}.js`);
const { SYSTEM_CLOCK: clock } = await load("model/clock");
const { SILENT_LOGGER: log } = await load("model/log");
const { openTransport } = await load("rsvp/endpoint/open-transport");
const { DEFAULT_RSVP_LIMITS: limits } = await load("rsvp/endpoint/limits");
const { DEFAULT_RELIABILITY: reliability } = await load("rsvp/reliability/rules");
const { KeyTable } = await load("rsvp/security/key-table");

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const { address, interfaces, exterior, ways, epoch } = JSON.parse(given);
const REFRESH = 1000;

const own = new Set(interfaces.map(([, each]) => each));
const routeTo = (destination) => {
  if (own.has(destination)) return { kind: "local" };
  return { kind: "interface", name: ways.find(([prefix]) => destination.startsWith(prefix))[1] };
};
const endpoint = (protocols, alerts) => ({
  keys: new KeyTable([]),
  reliability,
  epoch,
  tos: 0xc0,
  transport: (handlers) =>
    openTransport("raw", {
      handlers,
      limits,
      clock,
      protocols,
      alerts,
      families: [4, 6],
      udp: { role: "host", nextHops: new Map() },
    }),
});

async function host() {
  const { NodeDriver } = await load("rsvp/endpoint/node-driver");
  const { RsvpNode } = await load("rsvp/machine/node");
  const { DEFAULT_RULES } = await load("rsvp/machine/rules");
  const [[name, ownAddress]] = interfaces;
  const node = new RsvpNode({ ...DEFAULT_RULES, refreshPeriod: REFRESH });
  const outside = (action) => {
    const { destination, ref, id } = action;
    if (action.do === "resolve") driver.tell({ type: "routeChanged", destination, route: routeTo(destination) });
    else if (action.do === "reserve") driver.tell({ type: "admission", ref, id, verdict: { admit: true } });
    else if (action.do === "notify") say({ notice: action.notice });
  };
  const isOwn = (each) => own.has(each);
  const driver = await NodeDriver.open({
    ...{ node, clock, log, outside, random: Math.random },
    endpoint: { ...endpoint(["rsvp"], [0]), isOwn, interfaceTo: () => name },
  });
  await driver.endpoint.transport.attach(name);
  driver.tell({ type: "interface", interface: { name, addresses: [ownAddress], lih: 7, mtu: 1500 } });
  return { driver, node };
}

async function router() {
  const { RsvpSpeaker } = await load("pep/router/rsvp/speaker");
  const { EndToEndEdge } = await load("pep/router/rsvp/e2e-edge");
  const edge =
    exterior === undefined
      ? undefined
      : new EndToEndEdge({
          ...{ address, exterior: new Set([exterior]), codePoint: 46, ceiling: 1e6, block: 1000 },
          ...{ refresh: REFRESH, clock, log },
        });
  const found = interfaces.map(([name, each], index) => ({ name, index: index + 2, mtu: 1500, addresses: [each] }));
  const nothing = () => Promise.resolve();
  const { driver, node } = await RsvpSpeaker.open({
    ...(edge === undefined ? {} : { address, endToEnd: edge }),
    refresh: REFRESH,
    ceiling: 1e9,
    rooms: new Map(interfaces.map(([name]) => [name, 1e6])),
    linkOverhead: 14,
    standing: [],
    network: {
      interfaces: () => Promise.resolve(found),
      routes: (destinations) => Promise.resolve(new Map(destinations.map((each) => [each, routeTo(each)]))),
    },
    lookEvery: 60_000,
    classes: { reserve: nothing, release: nothing, sweep: nothing },
    ...{ clock, log, random: Math.random },
    endpoint: edge === undefined ? endpoint(["rsvp"], [0]) : endpoint(["rsvp", "e2eIgnore"], [0, 1]),
  });
  return { driver, node };
}

const { driver, node } = await (interfaces.length === 1 ? host() : router());
createInterface({ input: process.stdin })
  .on("line", (line) => {
    const { tell, sessions } = JSON.parse(line);
    if (tell !== undefined) driver.tell(tell);
    if (sessions === true) say({ sessions: [...node.sessions()].map(({ session }) => session.kind) });
  })
  .on("close", () => process.exit(0));
say({ ready: driver.endpoint.transport.kind });
