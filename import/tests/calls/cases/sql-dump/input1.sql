-- MySQL dump 10.19  Distrib 10.3.39-MariaDB, for debian-linux-gnu (x86_64)
--
-- Host: localhost    Database: asteriskcdrdb

INSERT INTO `cdr` VALUES ('2026-01-20 12:00:00','"A" <1002>','1002','37061234567','out','PJSIP/1002-1','PJSIP/c-2','Dial','',65,60,'ANSWERED',3,'','1768910400.1','','','',0);
