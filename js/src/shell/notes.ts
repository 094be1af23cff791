// Words that several parts of the shell say.

/** Why a control is disabled on a saved page. */
export const NEEDS_KERNEL = "Needs a live kernel";

/** `title` where there is a kernel, the reason to be disabled where there is none. */
export const liveTitle = (live: boolean, title: string): string => (live ? title : NEEDS_KERNEL);
