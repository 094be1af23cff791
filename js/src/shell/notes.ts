// Words that several parts of the shell say.
import type { KernelState } from "../host/contract";

/** Why a control is disabled where no kernel answers. */
export const NEEDS_KERNEL = "Needs a live kernel";

/** `title` where there is a kernel, the reason to be disabled where there is none. */
export const liveTitle = (live: boolean, title: string): string => (live ? title : NEEDS_KERNEL);

/** What there is to say of the kernel. */
export const KERNEL_NOTES: Record<KernelState, string> = {
  none: "Saved page, no kernel",
  ready: "",
  busy: "Kernel busy, waiting",
  silent: "No answer from the kernel: it is busy, or gone (then run the cell again)",
  gone: "No kernel: run the cell again",
};
