// A node of its own for tests on real packets: the product's transport, told what to do on standard input. First line: its
// options. Lines in: {"send": datagram}, {"counts": true}. Lines out: {"open": kind}, {"received": datagram}, {"counts": …},
// {"failed": [interface, message]}. Octets are hexadecimal.
import { createInterface } from "node:readline";

const [dist, given] = process.argv.slice(2);
const { openTransport } = await import(`${dist}/rsvp/endpoint/open-transport.js`);
const { DEFAULT_RSVP_LIMITS } = await import(`${dist}/rsvp/endpoint/limits.js`);
const { SYSTEM_CLOCK } = await import(`${dist}/model/clock.js`);

const say = (value) => process.stdout.write(`${JSON.stringify(value)}\n`);
const { choice, interfaces, protocols, alerts, families, role, nextHops, limits } = JSON.parse(given);

const handlers = {
  message: (datagram) => say({ received: { ...datagram, octets: datagram.octets.toString("hex") } }),
  failed: (name, error) => say({ failed: [name ?? "", error.message] }),
};
try {
  const transport = await openTransport(choice ?? "auto", {
    handlers,
    limits: { ...DEFAULT_RSVP_LIMITS, ...limits },
    clock: SYSTEM_CLOCK,
    protocols: protocols ?? ["rsvp"],
    alerts: alerts ?? [0],
    families: families ?? [4, 6],
    udp: { role: role ?? "host", nextHops: new Map(nextHops ?? []) },
  });
  for (const name of interfaces) await transport.attach(name);
  say({ open: transport.kind });
  createInterface({ input: process.stdin })
    .on("line", (line) => {
      const { send, counts } = JSON.parse(line);
      if (send !== undefined) transport.send({ ...send, octets: Buffer.from(send.octets, "hex") });
      if (counts === true) say({ counts: transport.counts() });
    })
    .on("close", () => process.exit(0));
} catch (error) {
  say({ refused: [error.code, error.message] });
}
