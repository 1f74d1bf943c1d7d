/** Who writes code points: the rules themselves, or DSMARK at the interfaces, to which they tell its slot. */
export type Marking = "nftables" | "dsmark";
