/** Chooses what carries test packets by trying it. */
import { SluiceError } from "../../model/errors.js";
import { KernelSockets } from "./kernel-socket.js";
import { type LibcGate, openLibc } from "./libc.js";
import { PortableSockets } from "./portable-socket.js";
import type { TestSockets } from "./test-socket.js";

export interface OpenedSockets {
  readonly sockets: TestSockets;
  /** Absent with Node's sockets. */
  readonly gate?: LibcGate;
}

/** The kernel's own where they work, else Node's: `method` of the sockets says what those lack. */
export function openSockets(open: () => LibcGate = openLibc): OpenedSockets {
  try {
    const gate = open();
    return { sockets: new KernelSockets(gate), gate };
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { sockets: new PortableSockets(error.message) };
  }
}
