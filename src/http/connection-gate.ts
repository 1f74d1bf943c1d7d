/** Connections of a server by who opens them: those that are one too many end before anything of them is read. */
import type { Server } from "node:http";
import type { Socket } from "node:net";
import { sourceKey, unmapped } from "../model/ip.js";

export interface ConnectionRules {
  /** How many the source of this address may have at a time; 0: it may not connect at all. Sources are told as `sourceKey` does. */
  readonly mostOf: (address: string) => number;
  readonly onRefused?: (address: string) => void;
}

export class ConnectionGate {
  readonly #rules: ConnectionRules;
  readonly #bySource = new Map<string, number>();
  /** All that are open, also those that shake hands. */
  readonly #open = new Set<Socket>();
  #refused = 0;

  constructor(server: Server, rules: ConnectionRules) {
    this.#rules = rules;
    server.on("connection", (socket: Socket) => this.#connected(socket));
    // Beyond the server's own limit.
    server.on("drop", () => {
      this.#refused += 1;
    });
  }

  /** Connections that are open. */
  get size(): number {
    return this.#open.size;
  }

  /** Connections that were one too many, since the start. */
  get refused(): number {
    return this.#refused;
  }

  /** Ends all of them. */
  cut(): void {
    for (const socket of this.#open) socket.destroy();
  }

  #connected(socket: Socket): void {
    const address = unmapped(socket.remoteAddress ?? "");
    const source = sourceKey(address);
    const count = this.#bySource.get(source) ?? 0;
    if (count >= this.#rules.mostOf(address)) {
      this.#refused += 1;
      this.#rules.onRefused?.(address);
      socket.destroy();
      return;
    }
    this.#bySource.set(source, count + 1);
    this.#open.add(socket);
    socket.on("close", () => {
      this.#open.delete(socket);
      const left = (this.#bySource.get(source) ?? 1) - 1;
      if (left === 0) this.#bySource.delete(source);
      else this.#bySource.set(source, left);
    });
  }
}
