/** Measurements of a router (STAMP, RFC 8762), as the control API answers them. */

/** `/v1/show/stamp`. Packets are counted since the start. */
export interface StampView {
  /** Who says when a packet arrived. */
  readonly times: "kernel" | "process";
  /** Whether test packets have code points and wait in the queues of their pools. */
  readonly classes: boolean;
  /** Whether this end says that its clock follows UTC. */
  readonly synchronised: boolean;
  /** Sessions of other edges that are reflected now. */
  readonly reflecting: number;
  readonly sent: number;
  /** Answers to packets of our own that were of use. */
  readonly answered: number;
  /** Packets of others that were answered. */
  readonly reflected: number;
  /** Packets of others that were not. */
  readonly refused: number;
  /** All, by name. */
  readonly counters: Readonly<Record<string, number>>;
  /** What is missing here for measuring as well as it could be done. */
  readonly lacking?: string;
}
