/** The anchor's instructions: `return TC_ACT_UNSPEC`, as if it were not there. */

/** As those of the flow program: eight octets each. */
export const ANCHOR_PROGRAM: readonly string[] = [
  "b4 0 0 0000 ffffffff", // w0 = -1
  "95 0 0 0000 00000000", // exit
];
