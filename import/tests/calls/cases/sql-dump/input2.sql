insert into cdr values ('2026-01-20 12:00:00','x','1002','37061234567','out','PJSIP/1002-1','PJSIP/c-2','Dial','',65,60,'ANSWERED',3,'','1768910400.1','');
