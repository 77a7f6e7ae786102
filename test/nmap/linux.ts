/**
 * What nmap's database expects of "Linux 4.15 - 5.6" at an MTU of 1500, in its own words. SP and ISR are spread, as the
 * database spreads what it was told; T2 and T3 are not answered.
 */
const TTL = 'T=3B-45%TG=40';
const RST = `R=Y%DF=Y%${TTL}%W=0`;

export const LINUX_4_15_TO_5_6 = `
SEQ(SP=FF-109%GCD=1-6%ISR=103-10D%TI=Z%CI=Z%II=I%TS=A)
OPS(O1=M5B4ST11NW7%O2=M5B4ST11NW7%O3=M5B4NNT11NW7%O4=M5B4ST11NW7%O5=M5B4ST11NW7%O6=M5B4ST11)
WIN(W1=FE88%W2=FE88%W3=FE88%W4=FE88%W5=FE88%W6=FE88)
ECN(R=Y%DF=Y%${TTL}%W=FAF0%O=M5B4NNSNW7%CC=Y%Q=)
T1(R=Y%DF=Y%${TTL}%S=O%A=S+%F=AS%RD=0%Q=)
T2(R=N)
T3(R=N)
T4(${RST}%S=A%A=Z%F=R%O=%RD=0%Q=)
T5(${RST}%S=Z%A=S+%F=AR%O=%RD=0%Q=)
T6(${RST}%S=A%A=Z%F=R%O=%RD=0%Q=)
T7(${RST}%S=Z%A=S+%F=AR%O=%RD=0%Q=)
U1(R=Y%DF=N%${TTL}%IPL=164%UN=0%RIPL=G%RID=G%RIPCK=G%RUCK=G%RUD=G)
IE(R=Y%DFI=N%${TTL}%CD=S)
`;
