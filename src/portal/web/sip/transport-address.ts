/**
 * The addresses in a description, made to be those that packets use. Policy servers reserve for the 5-tuple that m= and c= say, while
 * ICE (RFC 8445) takes the best pair of all candidates: on a host with IPv4 and IPv6 that is seldom the one in m= and c=. So only the
 * default candidate is offered. Pure.
 */

export interface TransportAddress {
  readonly address: string;
  readonly port: number;
}

/** Ports that stand for none: refused, and in a bundle `somewhere else` (RFC 9143 §7.1.3). */
const NO_PORTS = new Set([0, 9]);

/** Leaves of each section's candidates only those at its m= and c=; all of them where none is. */
export function onlyDefaultCandidates(sdp: string): string {
  return eachSection(sdp, (lines) => {
    const place = placeOf(lines);
    const fitting = lines.filter((line) => isCandidate(line) && isAt(line, place));
    return fitting.length === 0 ? lines : lines.filter((line) => !isCandidate(line) || fitting.includes(line));
  });
}

/** Puts an address into the m= and c= of every section that has one. */
export function withDefaultAddress(sdp: string, { address, port }: TransportAddress): string {
  const family = address.includes(":") ? "IP6" : "IP4";
  return eachSection(sdp, (lines) => {
    if (placeOf(lines) === undefined) return lines;
    return lines.map((line, index) => {
      if (index === 0) return line.replace(/^(m=\S+ )\d+/, `$1${port}`);
      return line.startsWith("c=") ? `c=IN ${family} ${address}` : line;
    });
  });
}

/** Of the first section that has one. */
export function defaultAddress(sdp: string): TransportAddress | undefined {
  const sections = sectionsOf(sdp).slice(1);
  return sections.map(placeOf).find((place) => place !== undefined);
}

const isCandidate = (line: string): boolean => line.startsWith("a=candidate:");

function isAt(candidate: string, place: TransportAddress | undefined): boolean {
  const [, , protocol, , address, port] = candidate.split(" ");
  return protocol?.toLowerCase() === "udp" && address === place?.address && Number(port) === place?.port;
}

function placeOf(lines: readonly string[]): TransportAddress | undefined {
  const port = Number(/^m=\S+ (\d+)/.exec(lines[0] ?? "")?.[1] ?? 0);
  const address = lines.find((line) => line.startsWith("c="))?.split(" ")[2];
  return address === undefined || NO_PORTS.has(port) ? undefined : { address, port };
}

/** The session's lines, then those of each m=. */
const sectionsOf = (sdp: string): readonly (readonly string[])[] =>
  sdp.split(/(?=^m=)/m).map((section) => section.split(/\r\n|\n/).filter((line) => line !== ""));

const eachSection = (sdp: string, change: (lines: readonly string[]) => readonly string[]): string =>
  `${sectionsOf(sdp)
    .flatMap((lines, index) => (index === 0 ? lines : change(lines)))
    .join("\r\n")}\r\n`;
