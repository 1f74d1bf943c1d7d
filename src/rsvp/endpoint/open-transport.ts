/** Chooses what carries RSVP by trying it: a list of capabilities or packages would tell less. */
import { createSocket } from "node:dgram";
import { SystemError } from "../../model/errors.js";
import type { IpFamily } from "../../model/ip.js";
import { ipv6AlertOf } from "./ip-packet.js";
import { bindToDevice, HEADER_INCLUDED, interceptIpv6, openRawSocket, SOCKET_OPTION } from "./raw-socket.js";
import { RawTransport } from "./raw-transport.js";
import type { RsvpTransport } from "./transport.js";
import { IP_PROTOCOL } from "./transport.js";
import type { TransportOptions } from "./transport-options.js";
import { UDP_PORT, UdpTransport } from "./udp-transport.js";

/** `evidence` is empty where it works, else what the system said. */
export interface TransportProbe {
  readonly works: boolean;
  readonly evidence: string;
}

export interface TransportProbes {
  readonly rawIpv4: TransportProbe;
  readonly rawIpv6: TransportProbe;
  readonly udp: TransportProbe;
}

const SMALL_BUFFER = 64;

/** Opens for real, on the loopback interface, everything that the back ends need, and closes it. */
export async function probeTransports(): Promise<TransportProbes> {
  return { rawIpv4: probeRaw(4), rawIpv6: probeRaw(6), udp: await probeUdp() };
}

function probeRaw(family: IpFamily): TransportProbe {
  try {
    const receiver = openRawSocket(family, IP_PROTOCOL.rsvp, SMALL_BUFFER);
    try {
      bindToDevice(receiver, "lo");
      if (family === 4) receiver.setOption(...SOCKET_OPTION.ipv4RouterAlert, 1);
      else probeIpv6Alert();
    } finally {
      receiver.close();
    }
    return { works: true, evidence: "" };
  } catch (error) {
    return { works: false, evidence: firstLine(error) };
  }
}

function probeIpv6Alert(): void {
  const socket = openRawSocket(6, HEADER_INCLUDED, SMALL_BUFFER);
  try {
    bindToDevice(socket, "lo");
    interceptIpv6(socket, ipv6AlertOf(0));
  } finally {
    socket.close();
  }
}

/** An address of the loopback network that nobody else listens on. */
function probeUdp(): Promise<TransportProbe> {
  return new Promise((resolve) => {
    const socket = createSocket("udp4");
    socket.once("error", (error) => {
      socket.close();
      resolve({ works: false, evidence: firstLine(error) });
    });
    socket.bind({ port: UDP_PORT.toRouter, address: "127.83.76.46" }, () => {
      socket.close(() => resolve({ works: true, evidence: "" }));
    });
  });
}

/** A missing package lists the files that asked for it, which nobody wants to read. */
const firstLine = (error: unknown): string =>
  (error instanceof Error ? error.message : String(error)).split("\n")[0] ?? "";

export type TransportChoice = "auto" | "raw" | "udp";

/**
 * With `auto`: raw sockets for the families for which they work; UDP where none does.
 * @throws SystemError if what was asked for does not work here
 */
export async function openTransport(choice: TransportChoice, options: TransportOptions): Promise<RsvpTransport> {
  const probes = await probeTransports();
  const rawOf = (family: IpFamily): TransportProbe => (family === 4 ? probes.rawIpv4 : probes.rawIpv6);
  const families = options.families.filter((family) => rawOf(family).works);
  if (choice !== "udp" && families.length > 0) return new RawTransport({ ...options, families });
  if (choice !== "raw" && probes.udp.works) return new UdpTransport(options);
  const evidence = choice === "udp" ? probes.udp.evidence : options.families.map((family) => rawOf(family).evidence)[0];
  throw new SystemError("RSVP_NO_TRANSPORT", `RSVP cannot be sent by ${choice}: ${evidence ?? ""}`, {
    remedy: "install the package raw-socket and give the process CAP_NET_RAW, or choose udp",
  });
}
