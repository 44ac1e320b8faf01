/** The index of the highest score. */
export const best = (scores: unknown[]): number => scores.reduce<number>((at, s, i) => (Number(s) > Number(scores[at]) ? i : at), 0);

/** Whether a class says that nothing is wrong with the part. */
export const sound = (name: string): boolean => ['ok', 'good', 'pass', '0'].includes(name.toLowerCase());
