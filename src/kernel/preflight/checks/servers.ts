/** Whether the policy servers can be reached from here. */
import type { Check, CheckContext } from "../check.js";
import { type Finding, fault, fine } from "../finding.js";

async function checkServers({ machine, subject }: CheckContext): Promise<readonly Finding[]> {
  const results = await Promise.all(
    subject.servers.map(async ({ host, port }) => ({ host, port, isOpen: await machine.connects(host, port) })),
  );
  const isAnyOpen = results.some(({ isOpen }) => isOpen);
  return results.map(({ host, port, isOpen }) => {
    const id = "server.reachable";
    const place = `${host}:${port}`;
    if (isOpen) return fine(id, `the policy server ${place} accepts connections`);
    return fault({
      id,
      // One is enough; the others are for when it fails.
      severity: isAnyOpen ? "note" : "warning",
      what: `the policy server ${place} does not accept a connection`,
      why: isAnyOpen
        ? "there is nobody to turn to when the other fails"
        : "without a policy server no session is admitted",
      remedy: `on that host: sluice run pdp; then see whether a firewall is between: nc -vz ${host} ${port}`,
    });
  });
}

export const serverCheck: Check = { name: "server.reachable", run: checkServers };
